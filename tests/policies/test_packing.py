"""Packing: bit for bit there and back, equal bytes for equal values, and a clear refusal of everything else."""

from __future__ import annotations

import math
import time
import zlib
from dataclasses import dataclass, field, fields, replace
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from policies.arrays import IntArray, integers, small
from policies.fixed import Fixed
from policies.gpu_room import GpuRoom
from policies.history import Backfill
from policies.model import Applied, Limits, Observation, Pods, PodSamples, Readings, Starts, Why
from policies.packing import VERSION, pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import BoolArray, FloatArray, SmallArray


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    value: FloatArray


@dataclass(frozen=True, slots=True)
class Everything:
    whole: IntArray
    codes: SmallArray
    truth: BoolArray
    number: FloatArray
    plane: NDArray[np.float32]
    inner: Inner | None
    many: tuple[Inner, ...]
    windows: tuple[tuple[str, str, float], ...]
    counts: tuple[int, ...]
    texts: tuple[str, ...]
    ratio: float
    limit: int
    on: bool
    colour: Colour
    size: Size


@dataclass(frozen=True, slots=True)
class Old:
    value: IntArray


@dataclass(frozen=True, slots=True)
class New:
    value: IntArray
    added: float = 0.5
    noted: tuple[str, ...] = field(default_factory=tuple)


A_FLOAT: Any = np.zeros(1)
OF_ANOTHER_TYPE = Old(A_FLOAT)

floats = st.floats(width=64, allow_nan=True, allow_infinity=True)
shapes = hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=6)
inners = st.builds(Inner, st.text(), hnp.arrays(np.float64, shapes, elements=floats))
anything = st.builds(
    Everything,
    whole=hnp.arrays(np.int64, shapes),
    codes=hnp.arrays(np.int8, shapes),
    truth=hnp.arrays(np.bool_, shapes),
    number=hnp.arrays(np.float64, shapes, elements=floats),
    plane=hnp.arrays(np.float32, shapes),
    inner=st.none() | inners,
    many=st.lists(inners, max_size=2).map(tuple),
    windows=st.lists(st.tuples(st.text(), st.text(), floats), max_size=2).map(tuple),
    counts=st.lists(st.integers(), max_size=3).map(tuple),
    texts=st.lists(st.text(), max_size=3).map(tuple),
    ratio=floats,
    limit=st.integers(-(2**63), 2**63 - 1),
    on=st.booleans(),
    colour=st.just(Colour.RED),
    size=st.just(Size.LARGE),
)


@given(anything)
def test_comes_back_bit_for_bit_and_packs_to_the_same_bytes(value: Everything) -> None:
    data = pack(value)
    back = unpack(Everything, data)
    assert same(back, value)
    assert pack(back) == data


@given(anything, st.data())
def test_damage_is_a_value_error(value: Everything, data: st.DataObject) -> None:
    packed = pack(value)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(ValueError, match="packed"):
        unpack(Everything, packed[:cut])
    with pytest.raises(ValueError, match="packed"):
        unpack(Everything, bytes((*packed[:cut], packed[cut] ^ 0x55, *packed[cut + 1 :])))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([-(2**63), 2**63 - 1], id="both-extremes"),
        pytest.param([-128, 127], id="one-byte"),
        pytest.param([-129, 0], id="just-over-one-byte"),
        pytest.param([0, 2**15], id="just-over-two-bytes"),
        pytest.param([0, 2**31], id="just-over-four-bytes"),
        pytest.param([], id="none"),
    ],
)
def test_whole_numbers_keep_their_type_whatever_they_are_stored_in(values: list[int]) -> None:
    back = unpack(Old, pack(Old(np.array(values, np.int64))))
    assert back.value.dtype == np.int64
    assert back.value.tolist() == values
    assert back.value.flags.writeable


def test_views_and_foreign_byte_order_are_packed_by_value() -> None:
    strided = np.arange(20, dtype=np.int64)[::3]
    foreign = np.arange(3, dtype=">i8")
    assert unpack(Old, pack(Old(strided))).value.tolist() == strided.tolist()
    assert unpack(Old, pack(Old(foreign))).value.tolist() == [0, 1, 2]


def test_nan_keeps_its_payload() -> None:
    quiet = np.frombuffer(bytes.fromhex("010000000000f87f"), "<f8")
    assert unpack(Inner, pack(Inner("", quiet))).value.tobytes() == quiet.tobytes()


def test_a_new_field_takes_its_default_from_older_bytes() -> None:
    old = pack(Old(integers(2, 7)))
    renamed = repacked(old, b'"Old"', b'"New"')
    assert same(unpack(New, renamed), New(integers(2, 7)))


@pytest.mark.parametrize(
    ("cls", "data", "message"),
    [
        pytest.param(Old, b"", "were not packed", id="nothing"),
        pytest.param(Old, b"SQLite format 3", "were not packed", id="another-file"),
        pytest.param(Old, b"FSP" + bytes((VERSION + 1,)) + b"x", f"version {VERSION + 1}", id="a-later-version"),
        pytest.param(Old, pack(New(integers(1))), "hold a New, not a Old", id="another-class"),
        pytest.param(Old, pack(Old(integers(1))) + b"x", "go on", id="more-behind-the-end"),
        pytest.param(Old, pack(OF_ANOTHER_TYPE), "an array of int64 belongs", id="another-dtype"),
    ],
)
def test_refuses(cls: type, data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unpack(cls, data)


def test_refuses_unknown_and_missing_fields() -> None:
    with pytest.raises(ValueError, match="unknown fields added, noted"):
        unpack(Old, repacked(pack(New(integers(1))), b'"New"', b'"Old"'))
    with pytest.raises(ValueError, match="lack value"):
        unpack(Old, repacked(pack(Applied.none()), b'"Applied"', b'"Old"'))


def test_what_cannot_be_packed_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="only dataclasses"):
        pack([1])
    with pytest.raises(TypeError, match="<U1 cannot be packed"):
        pack(replace(Old(integers(0)), value=np.array(["a"])))


def test_an_observation_of_the_model_comes_back() -> None:
    backfill = Backfill(60.0, 15.0, np.ones((2, 3), np.float32), np.ones((2, 3), np.bool_))
    seen = observation(3, backfill=backfill)
    back = unpack(Observation, pack(seen), types=(Backfill, Fixed, GpuRoom, Learned))
    assert same(back, seen)
    assert same(unpack(Limits, pack(Limits())), Limits())


@pytest.mark.bench
def test_bench_ten_thousand_lanes() -> None:
    seen = observation(10_000)
    times, data = [], b""
    for _ in range(20):
        start = time.perf_counter()
        data = pack(seen)
        times.append(time.perf_counter() - start)
    print(f"pack of 10,000 lanes: {1e3 * float(np.median(times)):.1f} ms median, {len(data)} bytes")  # noqa: T201


class Learned:
    """Stands for the class of a field that is None here."""


def observation(lanes: int, backfill: Backfill | None = None) -> Observation:
    whole = np.random.default_rng(7).integers(1, 300, lanes)
    return Observation(
        now_s=1_700_000_000.25,
        spec_replicas=whole,
        status_replicas=whole,
        pods_per_replica=integers(lanes, 1),
        hold=small(lanes),
        readings=Readings.missing(2 * lanes, Why.NO_SERIES),
        pods=Pods.none(),
        samples=PodSamples.none(),
        starts=Starts.none(),
        applied=Applied.none(),
        backfill=backfill,
    )


def repacked(data: bytes, old: bytes, new: bytes) -> bytes:
    body = zlib.decompress(data[4:])
    start = 4 + int.from_bytes(body[:4], "little")
    header = body[4:start].replace(old, new)
    return data[:4] + zlib.compress(len(header).to_bytes(4, "little") + header + body[start:])


def same(left: Any, right: Any) -> bool:  # noqa: ANN401 - any packed value
    if isinstance(right, np.ndarray):
        return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
    if isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if hasattr(right, "__dataclass_fields__"):
        return type(left) is type(right) and all(
            same(getattr(left, each.name), getattr(right, each.name)) for each in fields(right)
        )
    if isinstance(right, float) and math.isnan(right):
        return math.isnan(left)
    return type(left) is type(right) and bool(left == right)
