"""Prices of the user's own from a file: YAML with a Prices document, or CSV with a price a row."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import yaml

from controller.errors import ForesailError
from policies.pricing.document import OwnPrices, own_prices, table_of
from policies.pricing.table import CapacityType, Offer
from policies.problems import PolicyError, Problem, either, nearest
from policies.quantities import parse_moment_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

REQUIRED = ("instance_type", "price", "as_of")
OPTIONAL = ("provider", "region", "zone", "capacity_type", "currency")


class PriceFileError(ForesailError):
    """A price file that cannot be used: one problem a line, each with file and place."""


def read_prices(path: Path) -> OwnPrices:
    """Read a price file; `.csv` has rows of prices, anything else is YAML. Raises PriceFileError.

    CSV has the columns instance_type, price (an hour) and as_of (a moment such as 2026-11-01T00:00:00Z), and may have
    provider, region, zone, capacity_type (on-demand, which it is if absent, or spot) and currency (USD if absent).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PriceFileError(f"{path}: cannot be read: {words}") from error
    try:
        return _csv(text, str(path)) if path.suffix.lower() == ".csv" else _yaml(text, str(path))
    except PolicyError as error:
        raise PriceFileError(str(error)) from error


def _yaml(text: str, source: str) -> OwnPrices:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # PyYAML lets through what Python says to an impossible date
        raise PolicyError([Problem(source, "", f"is not YAML: {' '.join(str(error).split())}")]) from error
    return own_prices(document, source=source)


def _csv(text: str, source: str) -> OwnPrices:
    rows = csv.DictReader(text.splitlines(), strict=True)
    problems: list[Problem] = []
    read: list[tuple[Offer, float, float]] = []
    currencies: dict[str, None] = {}
    try:
        _check_columns(rows.fieldnames or (), source)
        for number, row in enumerate(rows, 1):
            try:
                read.append(_priced(row))
                currencies[(row.get("currency") or "USD").strip()] = None
            except ValueError as error:
                problems.append(Problem(source, f"row {number}", str(error)))
    except csv.Error as error:
        raise PolicyError([Problem(source, "", f"is not CSV: {error}")]) from error
    if len(currencies) > 1:
        problems.append(Problem(source, "currency", f"must be one, not {', '.join(currencies)}"))
    if problems:
        raise PolicyError(problems)
    return OwnPrices(table_of(read, currency=next(iter(currencies), "USD"), source=source))


def _check_columns(names: Sequence[str], source: str) -> None:
    known = (*REQUIRED, *OPTIONAL)
    problems = [
        Problem(source, name, f"is no column of a price file{nearest(name, known) or f'; they are {either(known)}'}")
        for name in names
        if name not in known
    ]
    problems += [Problem(source, name, "this column is missing") for name in REQUIRED if name not in names]
    if problems:
        raise PolicyError(problems)


def _priced(row: Mapping[str, str | None]) -> tuple[Offer, float, float]:
    """One row. Raises ValueError, naming the column."""
    cells = {name: (row.get(name) or "").strip() for name in (*REQUIRED, *OPTIONAL)}
    if not cells["instance_type"]:
        raise ValueError("instance_type: is required")
    try:
        price = float(cells["price"])
    except ValueError:
        price = math.nan
    if not math.isfinite(price) or price <= 0:
        raise ValueError(f"price: must be a price above 0 such as 1.20, not {cells['price']!r}")
    try:
        as_of_s = parse_moment_s(cells["as_of"])
    except ValueError as error:
        raise ValueError(f"as_of: {error}") from error
    capacity = cells["capacity_type"] or CapacityType.ON_DEMAND
    if capacity not in list(CapacityType):
        raise ValueError(f"capacity_type: must be {either(CapacityType)}, not {capacity!r}")
    place = (cells["provider"], cells["instance_type"], cells["region"], cells["zone"])
    return Offer(*place, CapacityType(capacity)), price, as_of_s
