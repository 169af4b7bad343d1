"""Pictures with a palette are what they were, in fewer bytes."""

import struct
import zlib

import numpy as np

from tests.integration.servers.png import SIGNATURE, with_palette


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_picture_with_every_filter_keeps_its_colours() -> None:
    # Two pixels a row, red and green channels only; the second row on says how it differs from its guess.
    rows = [
        [0, 10, 20, 0, 30, 40, 0],  # as it is
        [1, 10, 20, 0, 20, 20, 0],  # from the left: 10 20, then 30 40
        [2, 0, 0, 0, 0, 0, 0],  # from above
        [3, 5, 10, 0, 10, 10, 0],  # from half of left and above: 5 + 5, 10 + 10; 10 + 20, 10 + 30
        [4, 0, 0, 0, 0, 0, 0],  # Paeth: the nearest of left, above and the corner, which is above
    ]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 5, 8, 2, 0, 0, 0))
    body = zlib.compress(b"".join(bytes(row) for row in rows))
    picture = SIGNATURE + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    found = with_palette(picture)
    palette = np.frombuffer(found[found.index(b"PLTE") + 4 :][:6], np.uint8).reshape(2, 3)
    start = found.index(b"IDAT")
    (size,) = struct.unpack(">I", found[start - 4 : start])
    places = np.frombuffer(zlib.decompress(found[start + 4 : start + 4 + size]), np.uint8).reshape(5, 3)
    assert palette[places[:, 1:]].tolist() == [[[10, 20, 0], [30, 40, 0]]] * 5
