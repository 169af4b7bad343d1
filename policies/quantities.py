"""Quantities, durations and shares: the texts a policy writes them in, and the exact numbers they mean."""

import math
import re
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Context, Decimal
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

LARGEST_MILLI: Final = 2**63 - 1

_EXACT = Context(prec=100)
_LONGEST_TEXT = 64
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])|[eE]([+-]?\d{1,3}))?", re.ASCII)
_SUFFIXES: Final = {
    **{
        suffix: Decimal(10) ** power
        for suffix, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_DURATION = re.compile(r"(?:([\d.]+)d)?(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?", re.ASCII)
_UNITS_S: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DECIMAL = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def shown(value: object) -> str:
    """Show a value as a message quotes it: texts in quotes, YAML's words for the rest."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value)
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return str(value)


def parse_quantity(given: object) -> Decimal:
    """Parse a Kubernetes quantity (``250m``, ``1.5``, ``4Gi``, ``1e3``) or a plain number, exactly.

    Raises:
        ValueError: not a quantity, below zero, or 2^63 thousandths and more, where Kubernetes overflows.
    """
    value = _quantity(given)
    if value < 0:
        raise ValueError(f"must not be below 0, not {shown(given)}")
    if _EXACT.multiply(value, Decimal(1000)) > LARGEST_MILLI:
        raise ValueError(f"is too large: {shown(given)} is above 2^63 - 1 thousandths (about 9.2E)")
    return value


def parse_positive_quantity(given: object) -> Decimal:
    """Parse a quantity of at least one thousandth, the finest step Kubernetes compares.

    Raises:
        ValueError: as `parse_quantity`, or the value is below 0.001.
    """
    value = parse_quantity(given)
    if value < Decimal("0.001"):
        why = "must be above 0" if value == 0 else "must be at least 1m (0.001); measure in a smaller unit"
        raise ValueError(f"{why}, not {shown(given)}")
    return value


def milli(quantity: Decimal) -> int:
    """Thousandths as int64, rounded up as Kubernetes' ``Quantity.MilliValue``: 0.0015 is 2."""
    return int(_EXACT.multiply(quantity, Decimal(1000)).to_integral_value(ROUND_CEILING))


def quantity_text(quantity: Decimal) -> str:
    """Write a quantity as digits, so that it parses to the same number: 4Gi is ``4294967296``."""
    return f"{quantity:f}"


def quantity_of(resource: str, amount_milli: int) -> str:
    """Thousandths as Kubernetes writes them: CPU as ``250m``, all else in whole units rounded up."""
    return f"{amount_milli}m" if resource == "cpu" else str(-(-amount_milli // 1000))


def parse_duration_s(given: object) -> float:
    """Parse a duration (``8h``, ``90m``, ``1h30m``, ``7d``) into seconds.

    Raises:
        ValueError: not a duration, or not whole seconds.
    """
    found = _DURATION.fullmatch(given.strip()) if isinstance(given, str) and len(given) <= _LONGEST_TEXT else None
    counts = found.groups() if found else ()
    if not any(counts) or not all(count is None or _DECIMAL.fullmatch(count) for count in counts):
        raise ValueError(
            f"must be a duration such as 8h, 90m, 1h30m or 7d (units d, h, m, s in this order), not {shown(given)}"
        )
    total = sum(Decimal(count) * unit_s for count, (_, unit_s) in zip(counts, _UNITS_S, strict=True) if count)
    if total != int(total):
        raise ValueError(f"must be whole seconds, not {given!r}")
    return float(total)


def duration_text(duration_s: float) -> str:
    """Write seconds as a duration: 5400 is ``1h30m``."""
    left, words = int(duration_s), []
    for unit, unit_s in _UNITS_S:
        count, left = divmod(left, unit_s)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"


def parse_share(given: object) -> float:
    """Parse a share written as a number (0.01) or as per cent (``1%``).

    Raises:
        ValueError: neither of the two.
    """
    text = given.strip() if isinstance(given, str) else ""
    if text.endswith("%") and len(text) <= _LONGEST_TEXT and _DECIMAL.fullmatch(text[:-1].rstrip()):
        return float(Decimal(text[:-1].rstrip()) / 100)
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return float(given)
    raise ValueError(f'must be a share such as 0.01 or "1%", not {shown(given)}')


def parse_late(given: object) -> float | Literal["incumbent"]:
    """Parse a share, or the word ``incumbent``.

    Raises:
        ValueError: neither of the two.
    """
    if given == "incumbent":
        return "incumbent"
    try:
        return parse_share(given)
    except ValueError as error:
        raise ValueError(f'must be a share such as 0.01 or "1%", or the word incumbent, not {shown(given)}') from error


def parse_price(given: object) -> float:
    """Parse a price above 0, in whatever currency.

    Raises:
        ValueError: not a number, or 0 or less.
    """
    price = _number(given, "a price above 0 such as 1.20")
    if price <= 0:
        raise ValueError(f"must be a price above 0 such as 1.20, not {shown(given)}")
    return price


def parse_amount(given: object) -> float:
    """Parse a number.

    Raises:
        ValueError: not a finite number.
    """
    return _number(given, "a number such as 30")


def _number(given: object, what: str) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return float(given)
    raise ValueError(f"must be {what}, not {shown(given)}")


def parse_moment_s(given: object) -> float:
    """Parse a moment (``2026-11-27T08:00:00Z``, ``2026-11-27T09:00:00+01:00``) into seconds since 1970.

    Raises:
        ValueError: not a moment, or one without an offset from UTC.
    """
    moment = given if isinstance(given, datetime) else None
    if isinstance(given, str) and len(given) <= _LONGEST_TEXT:
        try:
            moment = datetime.fromisoformat(given.strip())
        except ValueError:
            moment = None
    if moment is None:
        raise ValueError(f"must be a moment such as 2026-11-27T08:00:00Z, not {shown(given)}")
    if moment.tzinfo is None:
        raise ValueError(f"must say its offset from UTC, such as {moment.isoformat()}Z, not {shown(given)}")
    return moment.timestamp()


def moment_text(at_s: float) -> str:
    """Write seconds since 1970 as a moment in UTC: 0 is ``1970-01-01T00:00:00Z``."""
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat().replace("+00:00", "Z")


def _quantity(given: object) -> Decimal:
    text = str(given) if isinstance(given, int | float | Decimal) and not isinstance(given, bool) else given
    found = _QUANTITY.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= _LONGEST_TEXT else None
    if found is None:
        raise ValueError(f"must be a number or a Kubernetes quantity such as 40, 250m or 4Gi, not {shown(given)}")
    number, suffix, exponent = found.groups()
    factor = _SUFFIXES[suffix] if suffix else Decimal(10) ** int(exponent or 0)
    return _EXACT.multiply(Decimal(number), factor)


_QUANTITY_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "format": "quantity"})
_QUANTITY_TEXT = PlainSerializer(quantity_text, return_type=str)
Quantity = Annotated[Decimal, BeforeValidator(parse_quantity), _QUANTITY_TEXT, _QUANTITY_SCHEMA]
PositiveQuantity = Annotated[Decimal, BeforeValidator(parse_positive_quantity), _QUANTITY_TEXT, _QUANTITY_SCHEMA]
DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "duration"}),
]
Moment = Annotated[
    float,
    BeforeValidator(parse_moment_s),
    PlainSerializer(moment_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "format": "share"}),
]
LateShare = Annotated[
    float | Literal["incumbent"],
    BeforeValidator(parse_late),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "format": "share, or `incumbent`"}),
]
Price = Annotated[float, BeforeValidator(parse_price), WithJsonSchema({"type": "number", "format": "price"})]
Amount = Annotated[float, BeforeValidator(parse_amount), WithJsonSchema({"type": "number", "format": "number from 0"})]
