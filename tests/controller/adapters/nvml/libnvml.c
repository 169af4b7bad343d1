/* Stands in for libnvidia-ml.so.1: GPUs whose state is read from the file that FAKE_NVML names, with each call.
 *
 * Lines are "key value". Keys: gpus, init (error of nvmlInit), driver (error of every call after it), mig (1 = split),
 * gpm (1 = supported), processes, xid (a number once; the file's line is consumed by its count in xid_id),
 * error_N (error of every call about GPU N), hang (1 = calls about a GPU never return),
 * pcie_error and mig_count (errors of those calls), gpm_nan (1 = GPM tells no numbers),
 * unsupported (1 = quantities are not supported). With -DOLD, functions of newer drivers are missing. */
#ifndef GPUS
#define GPUS 2
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct { long index; int mig; } Gpu;
static Gpu gpus[16], migs[16];
static int opened, told_xid;
static unsigned long long reads;

static long setting(const char *key, long otherwise) {
  const char *path = getenv("FAKE_NVML");
  FILE *file = path ? fopen(path, "r") : NULL;
  char name[64];
  long value, found = otherwise;
  if (!file) return otherwise;
  while (fscanf(file, "%63s %ld", name, &value) == 2)
    if (!strcmp(name, key)) found = value;
  fclose(file);
  return found;
}

static int about(Gpu *gpu) {
  char key[32];
  if (!opened) return 1;
  long driver = setting("driver", 0);
  if (driver) return (int)driver;
  while (setting("hang", 0)) usleep(20000);
  snprintf(key, sizeof key, "error_%ld", gpu->index);
  return (int)setting(key, 0);
}
#define ASK(gpu) do { int failed = about(gpu); if (failed) return failed; } while (0)
#define ASK_MAYBE(gpu) do { ASK(gpu); if (setting("unsupported", 0)) return 3; } while (0)

int nvmlInitWithFlags(unsigned flags) { long e = setting("init", 0); (void)flags; if (e) return (int)e; opened = 1; return 0; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
  const char *path = getenv("FAKE_NVML_SHUTDOWNS");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (file) { fputs("shutdown\n", file); fclose(file); }
  opened = 0;
  return 0;
}
const char *nvmlErrorString(int code) { static char text[32]; snprintf(text, sizeof text, "fake error %d", code); return text; }
int nvmlSystemGetDriverVersion(char *v, unsigned n) { snprintf(v, n, "580.%02ld", setting("version", 1)); return 0; }
int nvmlSystemGetProcessName(unsigned pid, char *v, unsigned n) { snprintf(v, n, "/usr/bin/server%u", pid); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) {
  if (!opened) return 1;
  long driver = setting("driver", 0);
  if (driver) return (int)driver;
  *count = (unsigned)setting("gpus", GPUS);
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu **gpu) {
  if (index >= 16) return 2;
  gpus[index].index = index;
  *gpu = &gpus[index];
  return about(*gpu);
}
int nvmlDeviceGetUUID(Gpu *gpu, char *v, unsigned n) {
  ASK(gpu);
  snprintf(v, n, gpu->mig ? "MIG-%ld" : "GPU-%ld", gpu->index);
  return 0;
}
int nvmlDeviceGetName(Gpu *gpu, char *v, unsigned n) { ASK(gpu); snprintf(v, n, "Fake H100"); return 0; }
typedef struct { char legacy[16]; unsigned domain, bus, device, id, sub; char bus_id[32]; } Pci;
int nvmlDeviceGetPciInfo_v3(Gpu *gpu, Pci *pci) {
  ASK(gpu);
  memset(pci, 0, sizeof *pci);
  snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02lX:00.0", gpu->index + 16);
  return 0;
}
typedef struct { unsigned gpu, memory; } Rates;
int nvmlDeviceGetUtilizationRates(Gpu *gpu, Rates *rates) { ASK_MAYBE(gpu); rates->gpu = 75; rates->memory = 40; return 0; }
typedef struct { unsigned long long total, free, used; } Memory;
int nvmlDeviceGetMemoryInfo(Gpu *gpu, Memory *m) { ASK(gpu); m->total = 80ULL << 30; m->used = 21ULL << 30; m->free = 59ULL << 30; return 0; }
#ifndef OLD
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
int nvmlDeviceGetMemoryInfo_v2(Gpu *gpu, Memory2 *m) {
  ASK(gpu);
  m->total = 80ULL << 30; m->reserved = 1ULL << 30; m->used = 20ULL << 30; m->free = 59ULL << 30;
  return 0;
}
#endif
int nvmlDeviceGetPowerUsage(Gpu *gpu, unsigned *mw) { ASK_MAYBE(gpu); *mw = 350500; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(Gpu *gpu, unsigned *mw) { ASK_MAYBE(gpu); *mw = 700000; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(Gpu *gpu, unsigned long long *mj) { ASK_MAYBE(gpu); *mj = 123456; return 0; }
int nvmlDeviceGetTemperature(Gpu *gpu, int sensor, unsigned *c) { ASK_MAYBE(gpu); (void)sensor; *c = 61; return 0; }
int nvmlDeviceGetClockInfo(Gpu *gpu, int clock, unsigned *mhz) { ASK_MAYBE(gpu); *mhz = 1000 + 100 * clock; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(Gpu *gpu, unsigned long long *r) { ASK_MAYBE(gpu); *r = 0x4; return 0; }
#ifndef OLD
int nvmlDeviceGetCurrentClocksEventReasons(Gpu *gpu, unsigned long long *r) { ASK_MAYBE(gpu); *r = 0x4 | 0x40; return 0; }
#endif
int nvmlDeviceGetTotalEccErrors(Gpu *gpu, int type, int counter, unsigned long long *n) { ASK_MAYBE(gpu); (void)counter; *n = type ? 1 : 7; return 0; }
#ifndef OLD
int nvmlDeviceGetRemappedRows(Gpu *gpu, unsigned *c, unsigned *u, unsigned *p, unsigned *f) { ASK_MAYBE(gpu); *c = 2; *u = 1; *p = 1; *f = 0; return 0; }
#endif
typedef union { double d; int si; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; unsigned short us; } Value;
typedef struct { unsigned id, scope; long long at, latency; int type, result; Value value; } Field;
int nvmlDeviceGetFieldValues(Gpu *gpu, int count, Field *fields) {
  ASK(gpu);
  for (int i = 0; i < count; i++) {
    fields[i].result = setting("unsupported", 0) ? 3 : 0;
    fields[i].type = fields[i].id == 82 ? 1 : 3;
    if (fields[i].id == 82) fields[i].value.ui = 70; else fields[i].value.ull = fields[i].id * 1000ULL;
  }
  return 0;
}
int nvmlDeviceGetPcieThroughput(Gpu *gpu, int counter, unsigned *kib) { ASK_MAYBE(gpu); *kib = 10 + counter; return 0; }
typedef struct { unsigned long long at; Value value; } Sampled;
/* Twenty samples, 100 ms apart, of 5, 10 ... 100 % (or watts). */
int nvmlDeviceGetSamples(Gpu *gpu, int kind, unsigned long long last, int *type, unsigned *count, Sampled *samples) {
  ASK_MAYBE(gpu);
  *type = 1;
  if (!samples) { *count = 20; return 0; }
  static unsigned long long began;
  if (!began) began = (unsigned long long)time(NULL) * 1000000ULL - 3000000ULL;
  unsigned n = 0;
  for (unsigned i = 1; i <= 20; i++)
    if (began + i * 100000ULL > last) { samples[n].at = began + i * 100000ULL; samples[n].value.ui = i * 5 * (kind ? 1 : 1000); n++; }
  *count = n;
  return n ? 0 : 6;
}
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } Running;
static int running(Gpu *gpu, unsigned *count, Running *found) {
  ASK(gpu);
  unsigned n = (unsigned)setting("processes", 1);
  if (!n) { *count = 0; return 0; }
  if (!found || *count < n) { *count = n; return 7; }
  for (unsigned i = 0; i < n; i++) { found[i].pid = 100 + i; found[i].used = (unsigned long long)(i + 1) << 30; found[i].gi = found[i].ci = 0xFFFFFFFF; }
  *count = n;
  return 0;
}
#ifdef OLD
int nvmlDeviceGetComputeRunningProcesses_v2(Gpu *gpu, unsigned *count, Running *found) { return running(gpu, count, found); }
#else
int nvmlDeviceGetComputeRunningProcesses_v3(Gpu *gpu, unsigned *count, Running *found) { return running(gpu, count, found); }
int nvmlDeviceGetMigMode(Gpu *gpu, unsigned *now, unsigned *next) { ASK(gpu); *now = *next = (unsigned)setting("mig", 0); return 0; }
int nvmlDeviceGetMaxMigDeviceCount(Gpu *gpu, unsigned *count) { ASK(gpu); *count = 7; return (int)setting("mig_count", 0); }
int nvmlDeviceGetMigDeviceHandleByIndex(Gpu *gpu, unsigned index, Gpu **mig) {
  ASK(gpu);
  if (index != 0 && index != 2) return 6; /* two instances, at places 0 and 2 */
  migs[index].index = 10 * gpu->index + index;
  migs[index].mig = 1;
  *mig = &migs[index];
  return 0;
}
int nvmlDeviceGetGpuInstanceId(Gpu *gpu, unsigned *id) { *id = 7 + (unsigned)(gpu->index % 10); return 0; }
typedef struct { unsigned version, supported; } GpmSupport;
int nvmlGpmQueryDeviceSupport(Gpu *gpu, GpmSupport *support) { ASK(gpu); support->supported = (unsigned)setting("gpm", 1); return 0; }
int nvmlGpmSampleAlloc(unsigned long long **sample) { *sample = calloc(1, sizeof **sample); return 0; }
int nvmlGpmSampleFree(unsigned long long *sample) { free(sample); return 0; }
int nvmlGpmSampleGet(Gpu *gpu, unsigned long long *sample) { ASK(gpu); *sample = ++reads; return 0; }
int nvmlGpmMigSampleGet(Gpu *gpu, unsigned instance, unsigned long long *sample) { ASK(gpu); (void)instance; *sample = ++reads; return 0; }
typedef struct { unsigned id; int result; double value; char *words[3]; } GpmMetric;
typedef struct { unsigned version, count; unsigned long long *earlier, *later; GpmMetric metrics[]; } GpmWanted;
int nvmlGpmMetricsGet(GpmWanted *wanted) {
  if (*wanted->later <= *wanted->earlier) return 2;
  for (unsigned i = 0; i < wanted->count; i++) { wanted->metrics[i].result = 0; wanted->metrics[i].value = setting("gpm_nan", 0) ? 0.0 / 0.0 : 10.0 * wanted->metrics[i].id; }
  return 0;
}
#endif
int nvmlEventSetCreate(void **set) { *set = &told_xid; return 0; }
int nvmlEventSetFree(void *set) { (void)set; return 0; }
int nvmlDeviceRegisterEvents(Gpu *gpu, unsigned long long kinds, void *set) { (void)kinds; (void)set; ASK(gpu); return 0; }
typedef struct { Gpu *gpu; unsigned long long kind, data; unsigned gi, ci; } Event;
int nvmlEventSetWait_v2(void *set, Event *event, unsigned ms) {
  long xid = setting("xid", 0);
  (void)set; (void)ms;
  if (!xid || told_xid) return 10;
  told_xid = 1;
  memset(event, 0, sizeof *event);
  event->gpu = &gpus[1]; event->kind = 8; event->data = (unsigned long long)xid;
  return 0;
}
