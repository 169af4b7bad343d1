"""Which pod has which GPU or MIG instance: the kubelet's PodResources API, gRPC over its unix socket.

One call without arguments does not need a gRPC library of 6 MB and its threads: h2 makes the HTTP/2 frames, and the few
fields of the answer are decoded here. Source: kubelet/pkg/apis/podresources/v1/api.proto (List).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

from controller.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
_PATH = "/v1.PodResourcesLister/List"
_MOST_BYTES = 16 * 1024 * 1024
_PREFIX = 5  # of a gRPC message: compressed or not, and its length
_RESOURCE = "nvidia.com/"
_VARINT, _BYTES, _FIXED64, _FIXED32 = 0, 2, 1, 5


async def pods_by_device(socket: Path, deadline_s: float = 2.0) -> dict[str, tuple[str, str]]:
    """Namespace and name of the pod that has each device, by the device's uuid.

    A device that several pods share (time slicing, MPS) is left out: none has it alone. Raises Unavailable.
    """
    try:
        async with asyncio.timeout(deadline_s):
            return decoded(await _listed(socket))
    except (OSError, ProtocolError, ValueError) as error:
        why = str(error) or type(error).__name__
        raise Unavailable(f"the kubelet at {socket} did not tell its pods: {why}") from error


def decoded(message: bytes) -> dict[str, tuple[str, str]]:
    """What a ListPodResourcesResponse says of NVIDIA's devices. Raises ValueError."""
    owners: dict[str, set[tuple[str, str]]] = {}
    for pod in _of(message, 1):
        name, namespace = _text(pod, 1), _text(pod, 2)
        for container in _of(pod, 3):
            for devices in _of(container, 2):
                if _text(devices, 1).startswith(_RESOURCE):
                    for device in _of(devices, 2):
                        uuid = device.decode().partition("::")[0]  # a shared device is told as uuid::number
                        owners.setdefault(uuid, set()).add((namespace, name))
    return {uuid: next(iter(pods)) for uuid, pods in owners.items() if len(pods) == 1}


async def _listed(socket: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        connection.initiate_connection()
        stream = connection.get_next_available_stream_id()
        head = {":method": "POST", ":scheme": "http", ":path": _PATH, ":authority": "localhost"}
        rest = {"content-type": "application/grpc", "te": "trailers"}
        connection.send_headers(stream, [*head.items(), *rest.items()])
        connection.send_data(stream, bytes(_PREFIX), end_stream=True)
        return await _answer(connection, reader, writer)
    finally:
        writer.close()


async def _answer(connection: H2Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    body, status = b"", ""
    while True:
        writer.write(connection.data_to_send())
        received = await reader.read(65_536)
        if not received:
            raise OSError("the connection ended early")
        for event in connection.receive_data(received):
            match event:
                case ResponseReceived() | TrailersReceived():
                    status = _status(event.headers or (), status)
                case DataReceived():
                    body += event.data or b""
                    connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
                case StreamEnded():
                    return _message(body, status)
                case StreamReset():
                    raise OSError("the call was reset")
                case _:
                    pass
        if len(body) > _MOST_BYTES:
            raise OSError("the answer is too large")


def _status(headers: Iterable[tuple[bytes | str, bytes | str]], otherwise: str) -> str:
    told = {name: value for name, value in headers if name in ("grpc-status", b"grpc-status")}
    return next((value.decode() if isinstance(value, bytes) else value for value in told.values()), otherwise)


def _message(body: bytes, status: str) -> bytes:
    if status != "0":
        raise OSError(f"gRPC status {status or 'missing'}")
    if len(body) < _PREFIX or body[0] != 0 or int.from_bytes(body[1:_PREFIX]) != len(body) - _PREFIX:
        raise ValueError("the answer is no whole message")
    return body[_PREFIX:]


def _of(message: bytes, wanted: int) -> Iterator[bytes]:
    """The length-delimited fields with a number; others are passed over, whatever a newer kubelet adds."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, place = _varint(message, place)
            continue
        if kind not in (_BYTES, _FIXED64, _FIXED32):
            raise ValueError(f"field {number} has an unknown kind {kind}")
        size = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
        if kind == _BYTES:
            size, place = _varint(message, place)
        if place + size > len(message):
            raise ValueError("the message is cut off")
        if kind == _BYTES and number == wanted:
            yield message[place : place + size]
        place += size


def _text(message: bytes, number: int) -> str:
    return next((each.decode() for each in _of(message, number)), "")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 64:  # noqa: PLR2004 - bits of the largest varint
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that another byte follows
            return value, place
    raise ValueError("a number is cut off")
