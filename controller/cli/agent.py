"""`foresail agent`: the GPUs of this machine as metrics, until it is told to stop."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import INTERRUPTED


def agent(
    command: typer.Context,
    listen: Annotated[str, typer.Option(help="Address of /metrics and the probes.")] = "127.0.0.1:9871",
    interval: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between two rounds over all GPUs.")] = 5,
    deadline: Annotated[
        float, typer.Option(min=0.1, max=60, help="Longest round, in seconds; then NVML's process is killed.")
    ] = 5,
    node: Annotated[
        str | None, typer.Option(help="Name of the node; the host name unless set. (env: NODE_NAME)")
    ] = None,
    kubelet_socket: Annotated[Path, typer.Option(help="Where the kubelet tells which pods have which devices.")] = Path(
        "/var/lib/kubelet/pod-resources/kubelet.sock"
    ),
    release_file: Annotated[Path | None, typer.Option(help="While this file exists, the driver is let go of.")] = None,
    log_format: Annotated[str, typer.Option(help="auto, json or console.")] = "auto",
) -> None:
    """Export what NVML tells of this machine's GPUs, until SIGTERM or Ctrl-C.

    NVML lives in a process of its own: a GPU or driver that hangs, is reset or lost shows as foresail_gpu_up 0. The
    driver is let go of while the node is prepared for a driver upgrade; docs/gpu.md tells what it needs.
    """
    from controller.adapters.nvml.machine import GpuSettings
    from controller.adapters.nvml.watch import Pace
    from controller.logging import configure
    from controller.settings import values

    try:
        address = values.listen(listen)
        form = values.one_of("auto", "json", "console")(log_format)
    except ValueError as error:
        raise typer.BadParameter(f"{error}") from error
    configure(command.obj or "info", form)
    named = node or os.environ.get("NODE_NAME") or socket.gethostname()
    settings = GpuSettings(named, Pace(interval, deadline), kubelet_socket, release_file)

    async def serve() -> bool:
        from controller.agent import run_agent

        stop, ended_by = asyncio.Event(), list[int]()
        loop = asyncio.get_running_loop()

        def end(number: int) -> None:
            ended_by.append(number)
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, number)
        await run_agent(settings, address, stop=stop)
        return ended_by[:1] == [signal.SIGINT]

    if asyncio.run(serve()):
        raise typer.Exit(INTERRUPTED)
