"""The kubelet's PodResources API, spoken over a unix socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from controller.adapters.nvml.pods import decoded, pods_by_device
from controller.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def field(number: int, content: bytes | str) -> bytes:
    payload = content.encode() if isinstance(content, str) else content
    assert len(payload) < 2**14
    size = bytes([len(payload)]) if len(payload) < 128 else bytes([len(payload) & 127 | 128, len(payload) >> 7])
    return bytes([number << 3 | 2]) + size + payload


def pod(namespace: str, name: str, resource: str, *devices: str) -> bytes:
    told = field(1, resource) + b"".join(field(2, each) for each in devices) + field(3, b"\x0a\x02\x08\x00")
    # 8-byte field 9 is something that a newer kubelet adds.
    return field(
        1, field(1, name) + field(2, namespace) + b"\x49" + bytes(8) + field(3, field(1, "main") + field(2, told))
    )


def test_devices_are_given_to_their_pods() -> None:
    told = (
        pod("shop", "chat-0", "nvidia.com/gpu", "GPU-0", "GPU-1")
        + pod("lab", "small", "nvidia.com/mig-1g.10gb", "MIG-2")
        + pod("lab", "net", "example.com/nic", "GPU-9")
    )
    assert decoded(told) == {"GPU-0": ("shop", "chat-0"), "GPU-1": ("shop", "chat-0"), "MIG-2": ("lab", "small")}


def test_a_device_that_pods_share_is_none_of_theirs() -> None:
    told = pod("a", "one", "nvidia.com/gpu.shared", "GPU-0::1") + pod("b", "two", "nvidia.com/gpu.shared", "GPU-0::2")
    assert decoded(told) == {}


@pytest.mark.parametrize(
    "message", [b"\x0a", b"\x0a\x05ab", b"\x0b\x00", b"\xff" * 11], ids=["no-size", "cut", "kind", "number"]
)
def test_nonsense_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|unknown kind"):
        decoded(message)


async def test_a_kubelet_is_asked_over_its_socket(tmp_path: Path) -> None:
    answer = b"".join(pod("shop", f"chat-{number}", "nvidia.com/gpu", f"GPU-{number}") for number in range(300))
    async with kubelet(tmp_path / "kubelet.sock", answer):
        found = await pods_by_device(tmp_path / "kubelet.sock")
    assert len(found) == 300
    assert found["GPU-299"] == ("shop", "chat-299")


async def test_a_kubelet_that_refuses_is_told(tmp_path: Path) -> None:
    async with kubelet(tmp_path / "kubelet.sock", b"", status="12"):
        with pytest.raises(Unavailable, match="gRPC status 12"):
            await pods_by_device(tmp_path / "kubelet.sock")


async def test_a_kubelet_that_is_silent_or_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="did not tell its pods"):
        await pods_by_device(tmp_path / "none.sock")
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(
        lambda _reader, writer: writers.append(writer), str(tmp_path / "silent.sock")
    )
    async with server:
        with pytest.raises(Unavailable, match="TimeoutError"):
            await pods_by_device(tmp_path / "silent.sock", deadline_s=0.05)
        for writer in writers:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def kubelet(path: Path, answer: bytes, status: str = "0") -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while received := await reader.read(65_536):
            for event in connection.receive_data(received):
                if isinstance(event, StreamEnded):
                    connection.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
                    message = b"\x00" + len(answer).to_bytes(4) + answer
                    for start in range(0, len(message), 16_000):
                        connection.send_data(1, message[start : start + 16_000])
                    connection.send_headers(1, [("grpc-status", status)], end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()
        closed.set()

    closed = asyncio.Event()
    server = await asyncio.start_unix_server(serve, str(path))
    async with server:
        yield
        await closed.wait()
