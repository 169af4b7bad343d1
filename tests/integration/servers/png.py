"""Makes a browser's picture small: a PNG of a palette in place of one of all colours."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from policies.compiled import compiled

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 128
_CHANNELS = {2: 3, 6: 4}  # by PNG's colour type

Bytes = NDArray[np.uint8]


def with_palette(picture: bytes) -> bytes:
    """The same picture in its most frequent colours; every other pixel takes the nearest of them."""
    pixels = _pixels(picture)
    height, width, _ = pixels.shape
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, place, counts = np.unique(packed.ravel(), return_inverse=True, return_counts=True)
    chosen = colours[np.argsort(-counts, kind="stable")[:COLOURS]]
    rgb, kept = (np.stack([each >> 16, each >> 8 & 255, each & 255], 1).astype(np.int64) for each in (colours, chosen))
    nearest = np.array([np.argmin(((kept - each) ** 2).sum(1)) for each in rgb], np.uint8)
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = nearest[place].reshape(height, width)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", kept.astype(np.uint8).tobytes()), (b"IDAT", zlib.compress(rows.tobytes(), 9)))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in (*parts, (b"IEND", b"")))


def _pixels(picture: bytes) -> Bytes:
    """Red, green and blue, `[row, column, channel]`, of a PNG with eight bits a channel and without interlacing."""
    found: dict[bytes, bytes] = {}
    place = len(SIGNATURE)
    while place < len(picture):
        (size,), name = struct.unpack(">I", picture[place : place + 4]), picture[place + 4 : place + 8]
        found[name] = found.get(name, b"") + picture[place + 8 : place + 8 + size]
        place += 12 + size
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert (bits, interlaced) == (8, 0)
    channels = _CHANNELS[kind]
    raw = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, 1 + width * channels)
    return _unfiltered(raw, channels).reshape(height, width, channels)[:, :, :3]


@compiled
def _unfiltered(raw: Bytes, step: int) -> Bytes:
    """Undo the filters of the PNG specification, section 9.2."""
    height, size = raw.shape[0], raw.shape[1] - 1
    out = np.zeros((height, size), np.uint8)
    for row in range(height):
        kind = raw[row, 0]
        for at in range(size):
            left = int(out[row, at - step]) if at >= step else 0
            up = int(out[row - 1, at]) if row else 0
            corner = int(out[row - 1, at - step]) if row and at >= step else 0
            guess = 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            elif kind == 4:
                near = left + up - corner
                by_left, by_up, by_corner = abs(near - left), abs(near - up), abs(near - corner)
                guess = left if by_left <= by_up and by_left <= by_corner else up if by_up <= by_corner else corner
            out[row, at] = (int(raw[row, at + 1]) + guess) & 255
    return out


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
