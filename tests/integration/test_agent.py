"""`foresail agent` and `foresail gpu` as processes, and the manifest that deploys the agent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.architecture.source import ROOT
from tests.controller.adapters.nvml.stand_in import StandIn, compiled
from tests.integration.servers.process import (
    Launch,
    MissingServer,
    ServerProcess,
    eventually,
    free_port,
    http_ok,
    http_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.daemon import Stage

pytestmark = pytest.mark.integration

FORESAIL = str(Path(sys.executable).with_name("foresail"))


@pytest.fixture
def nvml(tmp_path: Path) -> StandIn:
    try:
        made = StandIn(compiled(tmp_path), tmp_path / "state")
    except MissingServer as error:
        if os.environ.get("FORESAIL_REQUIRE_SERVERS") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    made.set()
    return made


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def agent(nvml: StandIn, port: int, tmp_path: Path) -> Iterator[ServerProcess]:
    flags = [f"--listen=127.0.0.1:{port}", "--interval=0.2", "--deadline=5", "--node=n1", "--log-format=json"]
    argv = [FORESAIL, "agent", *flags, f"--release-file={tmp_path / 'release'}"]
    url = f"http://127.0.0.1:{port}/readyz"
    with ServerProcess(Launch("agent", argv, tmp_path, lambda: http_ok(url), nvml.environment())) as running:
        yield running


def metrics(port: int) -> str:
    return http_request("GET", f"http://127.0.0.1:{port}/metrics")[1].decode()


def test_the_agent_serves_is_alive_and_stops_cleanly(agent: ServerProcess, nvml: StandIn, port: int) -> None:
    up = 'foresail_gpu_up{gpu="1",node="n1",pci_bus_id="00000000:11:00.0",reason="",uuid="GPU-1"} 1.0'
    eventually(lambda: up in metrics(port))
    assert http_ok(f"http://127.0.0.1:{port}/livez")
    assert "foresail_gpu_pods_known" in metrics(port)
    agent.stop()
    assert agent.exit_code == 0
    assert nvml.shutdowns.read_text() == "shutdown\n"


def test_the_file_releases_the_driver_and_the_agent_stays(
    agent: ServerProcess, nvml: StandIn, port: int, tmp_path: Path
) -> None:
    eventually(lambda: 'foresail_gpu_reads_total{node="n1",result="success"}' in metrics(port))
    (tmp_path / "release").touch()
    eventually(lambda: 'reason="released"' in metrics(port))
    assert nvml.shutdowns.read_text() == "shutdown\n"
    assert agent.running
    (tmp_path / "release").unlink()
    eventually(lambda: 'reason="released"' not in metrics(port))


def test_a_killed_agent_leaves_no_child_in_the_driver(agent: ServerProcess) -> None:
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children")
    child = eventually(lambda: children.read_text().split())[0]
    agent.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists())


def test_the_daemon_reads_its_own_machines_gpus(stage: Stage, nvml: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**nvml.environment(), "FORESAIL_NVML": "true"}.items():
        monkeypatch.setenv(name, value)
    with stage.daemon as daemon:
        eventually(lambda: daemon.metric("foresail_gpu_up", uuid="GPU-1") == 1)
        eventually(lambda: daemon.ticks() >= 2)
        assert daemon.stop() == 0
    assert nvml.shutdowns.read_text() == "shutdown\n"


def test_gpus_are_shown_once(nvml: StandIn) -> None:
    argv = [FORESAIL, "gpu", "-o", "json"]
    told = subprocess.run(argv, env=nvml.environment(), capture_output=True, check=True, timeout=60)
    found = json.loads(told.stdout)
    assert found["kind"] == "GpuList"
    assert [item["uuid"] for item in found["items"]] == ["GPU-0", "GPU-1"]
    table = subprocess.run([FORESAIL, "gpu"], env=nvml.environment(), capture_output=True, check=True, timeout=60)
    assert b"20.0/80.0 GiB" in table.stdout


def test_without_a_driver_the_command_says_why() -> None:
    told = subprocess.run([FORESAIL, "gpu"], capture_output=True, check=False, timeout=60)
    assert told.returncode == 1
    assert b"no_library" in told.stderr


def test_the_agent_is_light() -> None:
    heavy = ("numpy", "sklearn", "numba", "kubernetes")
    code = f"import controller.agent, sys; print([each for each in {heavy} if each in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert told.stdout == b"[]\n"


def test_the_manifest_runs_the_agent_with_flags_that_it_has() -> None:
    documents = list(yaml.safe_load_all((ROOT / "deploy" / "gpu-agent.yaml").read_text()))
    kinds = {each["kind"]: each for each in documents}
    assert kinds["ClusterRole"]["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]
    container = kinds["DaemonSet"]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["foresail", "agent"]
    told = subprocess.run([FORESAIL, "agent", "--help"], capture_output=True, check=True, timeout=60)
    for argument in container["args"]:
        assert argument.partition("=")[0] in told.stdout.decode()
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
