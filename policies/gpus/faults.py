"""Faults of GPUs as exporters tell them: which XIDs ask for action on the GPU, and the fields of DCGM's exporter.

The XIDs are those whose immediate action in NVIDIA's Xid catalog (for Ampere and newer) is more than to restart the
application: to reset the GPU, to restart the machine, to look at connectors, or to call support.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Not among them, with what the catalog says to do:
# - restart the application: 13 (exception in a kernel), 31 (page fault), 94 (memory error that was contained);
# - nothing: 43 (an application's channel stopped), 63 (a row is marked to be replaced; it stays pending until a reset,
#   which has an alert of its own), 92 (many corrected errors); 45 (cleaning up) follows another XID;
# - read the registers in the message first, as the number alone tells too little: 144 to 150 (NVLink 5), 154.
XIDS: Mapping[str, tuple[int, ...]] = {
    # Memory: an error that ECC could not correct (48), a row that could not be replaced (64), an error that other
    # applications may have seen too (95), one that was not recovered from (140), a unit that is to be retired at the
    # next reset (156) or cannot be (157).
    "memory": (48, 64, 95, 140, 156, 157),
    # Connections: auxiliary power (54), NVLink (74), the GPU is off the PCIe bus (79), a link does not train (136), a
    # fault of NVLink that its software defines (155).
    "connection": (54, 74, 79, 136, 155),
    # The GPU or its firmware: it stopped (46), its microcontroller halted (62), a context could not be switched (109),
    # a security fault (110), its system processor does not answer (119) or failed (120), it does not start (143), a
    # timeout that it does not recover from (158).
    "gpu": (46, 62, 109, 110, 119, 120, 143, 158),
}

XID_COUNT = "DCGM_EXP_XID_ERRORS_COUNT"  # events in a window, by `xid`; 0 without `xid` while there are none
XID_LAST = "DCGM_FI_DEV_XID_ERRORS"  # the last one, until the GPU is reset; its number also stands in `err_code`
ECC_UNCORRECTED = "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"
REMAP_FAILED = "DCGM_FI_DEV_ROW_REMAP_FAILURE"
REMAP_PENDING = "DCGM_FI_DEV_ROW_REMAP_PENDING"
THERMAL_NS = "DCGM_FI_DEV_THERMAL_VIOLATION"  # nanoseconds with clocks held down for heat
CLOCK_EVENTS = "DCGM_EXP_CLOCK_EVENTS_COUNT"  # samples in a window, by `clock_event`
TEMPERATURE = "DCGM_FI_DEV_GPU_TEMP"
MEMORY_USED, MEMORY_FREE = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"


def xid_pattern() -> str:
    """A regular expression of PromQL that matches the numbers of `XIDS`."""
    return "|".join(map(str, sorted(xid for each in XIDS.values() for xid in each)))


def on_node(expr: str) -> str:
    """PromQL of an exporter of DCGM, with its node under the label `node`, as the agent has it."""
    return _renamed(_renamed(expr, "node", "hostname"), "node", "Hostname")


def of_pod(expr: str) -> str:
    """PromQL of an exporter, with the pod that has the device, also where the scrape does not honour its labels."""
    return _renamed(_renamed(expr, "namespace", "exported_namespace"), "pod", "exported_pod")


def _renamed(expr: str, label: str, source: str) -> str:
    return f'label_replace({expr}, "{label}", "$1", "{source}", "(.+)")'
