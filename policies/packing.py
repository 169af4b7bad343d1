"""Dataclasses of arrays as bytes and back, bit for bit: what the journal stores and a restart reads.

Layout of version 1: the magic bytes, one byte of version, then zlib of a length, a JSON header and the raw
little-endian arrays. Whole numbers are stored in the smallest type that holds them; other arrays have their bytes
transposed, which makes both compress several times faster.
"""

from __future__ import annotations

import json
import struct
import types as builtin_types
import zlib
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from policies import arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    AnyArray = NDArray[Any]

VERSION = 1

_MAGIC = b"FSP"
_LENGTH = struct.Struct("<I")
_FLOAT = struct.Struct("<d")
_LEVEL = 1
_KINDS = "biuf"
_NARROW = tuple(np.dtype(code) for code in ("<i1", "<i2", "<i4"))
_DAMAGED = "packed bytes are damaged"

T = TypeVar("T")


def pack(value: object) -> bytes:
    """Pack a dataclass whose fields are arrays, scalars, enums, texts, None, tuples and dataclasses of them.

    Equal values give equal bytes. Raises TypeError for a field that cannot be packed.
    """
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"only dataclasses can be packed, not {type(value).__name__}")
    writer = _Writer()
    document = {"type": type(value).__name__, "value": writer.written(value)}
    header = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    packer = zlib.compressobj(_LEVEL)
    parts = [packer.compress(_LENGTH.pack(len(header)) + header), *map(packer.compress, writer.blocks), packer.flush()]
    return b"".join((_MAGIC, bytes((VERSION,)), *parts))


def unpack(cls: type[T], data: bytes, *, types: tuple[type, ...] = ()) -> T:
    """Unpack what `pack` made of a `cls`; arrays are fresh and writable.

    `types` are the classes that the modules of `cls` import for type checkers only; those of `policies.arrays` are
    known. A field that the bytes lack takes its default.

    Raises ValueError: other bytes than those of `pack`, damaged ones, an unknown version, or another class.
    """
    document, blocks = _opened(data)
    if not isinstance(document, dict) or document.keys() != {"type", "value"}:
        raise ValueError(f"{_DAMAGED}: the header is not one of version {VERSION}")
    if document["type"] != cls.__name__:
        raise ValueError(f"packed bytes hold a {document['type']}, not a {cls.__name__}")
    value: T = _Reader(blocks, types).read(cls, document["value"], cls.__name__)
    return value


def header_of(data: bytes) -> str:
    """All that packed bytes hold but their arrays, as JSON: the texts among it. Raises ValueError as `unpack` does."""
    return json.dumps(_opened(data)[0], ensure_ascii=False)


@dataclass(slots=True)
class _Writer:
    """Turns values into JSON and collects the bytes of arrays, which the JSON names by their offset."""

    blocks: list[bytes] = field(default_factory=list)
    size: int = 0

    def written(self, value: Any) -> Any:  # noqa: ANN401 - any field, any JSON
        match value:
            case Enum():
                return self.written(value.value)
            case np.ndarray():
                return self._array(value)
            case None | str() | bool() | int():
                return value
            case float():
                return _FLOAT.pack(value).hex()
            case tuple():
                return [self.written(item) for item in value]
            case _ if is_dataclass(value):
                return {each.name: self.written(getattr(value, each.name)) for each in fields(value)}
            case _:
                raise TypeError(f"a {type(value).__name__} cannot be packed")

    def _array(self, array: AnyArray) -> list[Any]:
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"an array of {array.dtype} cannot be packed")
        dtype = array.dtype.newbyteorder("<")
        kept = _narrowest(array, dtype)
        stored = np.ascontiguousarray(array, kept)
        block = _transposed(stored) if kept == dtype else stored.tobytes()
        header = [dtype.str, list(array.shape), self.size, kept.str]
        self.blocks.append(block)
        self.size += len(block)
        return header


def _narrowest(array: AnyArray, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The smallest signed type that holds every value of an integer array; the type itself for others."""
    if dtype.kind != "i" or array.size == 0:
        return dtype
    low, high = int(array.min()), int(array.max())
    for kept in _NARROW:
        limits = np.iinfo(kept)
        if kept.itemsize < dtype.itemsize and limits.min <= low and high <= limits.max:
            return kept
    return dtype


def _transposed(array: AnyArray) -> bytes:
    """First bytes of all values, then their second bytes, and so on: neighbours become alike."""
    return array.reshape(-1).view(np.uint8).reshape(-1, array.itemsize).T.tobytes()


def _opened(data: bytes) -> tuple[Any, memoryview]:
    if len(data) <= len(_MAGIC) or not data.startswith(_MAGIC):
        raise ValueError("these bytes were not packed by Foresail")
    version = data[len(_MAGIC)]
    if version != VERSION:
        raise ValueError(f"packed bytes have version {version}; this Foresail reads version {VERSION}")
    unpacker = zlib.decompressobj()
    try:
        body = memoryview(unpacker.decompress(memoryview(data)[len(_MAGIC) + 1 :]))
        start = _LENGTH.size + _LENGTH.unpack_from(body)[0]
        document = json.loads(bytes(body[_LENGTH.size : start]))
    except (zlib.error, struct.error, ValueError) as error:
        raise ValueError(f"{_DAMAGED}: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError(f"{_DAMAGED}: they {'go on behind' if unpacker.eof else 'stop before'} their end")
    return document, body[start:]


@dataclass(slots=True)
class _Reader:
    """Turns JSON back into values, led by the type hints of the classes."""

    blocks: memoryview
    types: tuple[type, ...]

    def read(self, hint: Any, value: Any, path: str) -> Any:  # noqa: ANN401 - any hint, any field
        origin = get_origin(hint)
        if origin in (Union, builtin_types.UnionType):
            return self._optional(get_args(hint), value, path)
        if origin is np.ndarray:
            return self._array(_dtype_of(hint), value, path)
        if origin is tuple:
            return self._tuple(get_args(hint), value, path)
        if isinstance(hint, type) and is_dataclass(hint):
            return self._dataclass(hint, value, path)
        return _scalar(hint, value, path)

    def _optional(self, hints: tuple[Any, ...], value: Any, path: str) -> Any:  # noqa: ANN401
        given = [hint for hint in hints if hint is not type(None)]
        if len(given) != 1:
            raise TypeError(f"{path}: only X | None can be unpacked, not {' | '.join(map(str, hints))}")
        return None if value is None else self.read(given[0], value, path)

    def _tuple(self, hints: tuple[Any, ...], value: object, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _unfit(path, "a list", value)
        if hints == (str, ...) and all(type(item) is str for item in value):
            return tuple(value)
        if len(hints) == 2 and hints[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
            hints = hints[:1] * len(value)
        if len(hints) != len(value):
            raise _unfit(path, f"{len(hints)} items", value)
        return tuple(self.read(hint, item, path) for hint, item in zip(hints, value, strict=True))

    def _dataclass(self, cls: Any, value: Any, path: str) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            raise _unfit(path, f"the fields of {cls.__name__}", value)
        hints = _hints(cls, self.types)
        wanted: Mapping[str, Field[Any]] = {each.name: each for each in fields(cls)}
        lacking = [name for name, each in wanted.items() if name not in value and _required(each)]
        if lacking or not value.keys() <= wanted.keys():
            names = ", ".join(lacking or sorted(value.keys() - wanted.keys()))
            raise ValueError(f"{path}: packed bytes {'lack' if lacking else 'hold unknown fields'} {names}")
        return cls(**{name: self.read(hints[name], given, f"{path}.{name}") for name, given in value.items()})

    def _array(self, wanted: np.dtype[Any] | None, value: Any, path: str) -> AnyArray:  # noqa: ANN401
        try:
            dtype_text, shape, offset, kept_text = value
            dtype, kept = np.dtype(dtype_text), np.dtype(kept_text)
            size = int(np.prod(shape, dtype=np.int64)) * kept.itemsize
            stored = np.frombuffer(self.blocks[offset : offset + size], np.uint8)
            plain = stored.reshape(kept.itemsize, -1).T if kept == dtype and size else stored
            array = np.frombuffer(bytearray(plain.tobytes()), kept).reshape(shape)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {_DAMAGED}: {error}") from error
        if wanted is not None and wanted != dtype:
            raise _unfit(path, f"an array of {wanted}", dtype)
        return array.astype(dtype.newbyteorder("="), copy=False)


@lru_cache(maxsize=256)
def _hints(cls: type[Any], types: tuple[type, ...]) -> dict[str, Any]:
    return get_type_hints(cls, localns=vars(arrays) | {each.__name__: each for each in types})


def _required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _dtype_of(hint: Any) -> np.dtype[Any] | None:  # noqa: ANN401 - an alias such as NDArray[np.int64]
    scalars = [arg for dtype in get_args(hint)[1:] for arg in get_args(dtype)]
    return np.dtype(scalars[0]) if scalars and isinstance(scalars[0], type) and not _abstract(scalars[0]) else None


def _abstract(scalar: type) -> bool:
    return scalar in (np.generic, np.number, np.integer, np.floating)


def _scalar(hint: Any, value: Any, path: str) -> Any:  # noqa: ANN401 - any hint, any field
    if hint is float:
        return _float(value, path)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError as error:
            raise _unfit(path, f"a {hint.__name__}", value) from error
    if hint not in (int, bool, str):
        raise TypeError(f"{path}: a {hint} cannot be unpacked")
    if type(value) is not hint:
        raise _unfit(path, hint.__name__, value)
    return value


def _float(value: Any, path: str) -> float:  # noqa: ANN401 - any JSON
    if type(value) is int:  # an int stood where a float was meant
        return float(value)
    try:
        number: float = _FLOAT.unpack(bytes.fromhex(value))[0]
    except (TypeError, ValueError, struct.error) as error:
        raise _unfit(path, "a float", value) from error
    return number


def _unfit(path: str, wanted: str, value: object) -> ValueError:
    return ValueError(f"{path}: packed bytes hold {str(value)[:60]!r} where {wanted} belongs")
