"""`foresail mix rank`: which region or zone is the best by price, latency and availability, and why."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import INVALID
from controller.cli.output import Output, OutputOption, emit, note, table_of
from controller.cli.whatif import given
from controller.errors import ForesailError
from policies.problems import Problem, either, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from policies.mix.ranking import Places, Ranking

NAME, PRICE, LATENCY, AVAILABILITY = _COLUMNS = ("name", "usd_per_hour", "latency_ms", "availability_ratio")
_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    PRICE: (lambda usd: usd > 0, "above 0"),
    LATENCY: (lambda ms: ms >= 0, "at least 0"),
    AVAILABILITY: (lambda share: 0 <= share <= 1, "from 0 to 1"),
}
_WEIGHTS = ("price", "latency", "availability")


def rank(
    places: Annotated[
        Path,
        typer.Argument(
            help="CSV with name, usd_per_hour, latency_ms and availability_ratio (share of the time in which what is "
            "wanted can be had); an empty cell is not known, a column may be missing."
        ),
    ],
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="FACTOR=WEIGHT", help="Of price (1 unless given), latency and availability (0)."),
    ] = None,
    max_usd_per_hour: Annotated[float, typer.Option(help="Rule out what is dearer.", show_default=False)] = math.inf,
    max_latency_ms: Annotated[float, typer.Option(help="Rule out what is farther.", show_default=False)] = math.inf,
    min_availability: Annotated[
        float, typer.Option(min=0, max=1, help="Rule out what can be had less of the time.", show_default=False)
    ] = 0.0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Rank regions or zones, the best first, and say why.

    The score is price^w1 x latency^w2 / availability^w3, shown over the best's: 1.10 is a tenth worse. At a latency
    weight of 0.5, twice the latency counts as much as 41 % more price. The order of two depends on these two alone.
    """
    from policies.mix.ranking import Wishes, ranked

    weights = given("--weight", _weights, weight or [])
    found = _places(places)
    wishes = Wishes(
        **weights,
        most_usd_per_hour=max_usd_per_hour,
        most_latency_s=max_latency_ms / 1e3,
        least_availability_ratio=min_availability,
    )
    ranking = ranked(found, wishes)
    emit("PlaceRanking", {"places": list(_documents(found, ranking))}, output, lambda: _table(found, ranking))


def _weights(texts: list[str]) -> dict[str, float]:
    weights = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in _WEIGHTS:
            raise ValueError(f"must weigh {either(_WEIGHTS)}, not {name!r}{nearest(name, _WEIGHTS)}")
        value = _number(number)
        if value is None or not 0 <= value < math.inf:
            raise ValueError(f"{name}: must be a number of at least 0, as in {name}=0.5, not {number!r}")
        weights[name] = value
    return weights


def _places(path: Path) -> "Places":
    """Read the file, or tell every problem and end."""
    import numpy as np

    from policies.mix.ranking import Places

    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ForesailError(f"{path}: cannot be read as CSV: {error}") from error
    if problems := list(_problems(path, rows)):
        for problem in problems:
            note(f"error: {problem}")
        raise typer.Exit(INVALID)
    price, latency_ms, available = (
        np.array([math.nan if _blank(row.get(name)) else float(row[name]) for row in rows])
        for name in (PRICE, LATENCY, AVAILABILITY)
    )
    return Places(tuple(row[NAME].strip() for row in rows), price, latency_ms / 1e3, available)


def _problems(path: Path, rows: list[dict[str, str]]) -> Iterator[Problem]:
    if not rows:
        yield Problem(str(path), "", "has no places")
        return
    if NAME not in rows[0]:
        yield Problem(str(path), "", f"has no column {NAME}; the columns are {', '.join(_COLUMNS)}")
    seen = set()
    for number, row in enumerate(rows, 1):
        name = (row.get(NAME) or "").strip()
        if NAME in row and (not name or name in seen):
            yield Problem(str(path), f"row {number}: {NAME}", f"{name!r} is there twice" if name else "is empty")
        seen.add(name)
        yield from (Problem(str(path), f"row {number}: {column}", fault) for column, fault in _faults(row))


def _faults(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the numbers of a row, by column."""
    for column, (fits, words) in _RANGES.items():
        text = row.get(column)
        if _blank(text):
            continue
        value = _number(text)
        if value is None or not math.isfinite(value):
            yield column, f"{text!r} is not a number; leave what is not known empty"
        elif not fits(value):
            yield column, f"must be {words}, not {text}"


def _blank(text: str | None) -> bool:
    return text is None or not text.strip()


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _documents(places: "Places", ranking: "Ranking") -> Iterator[dict[str, object]]:
    """Places from the best down, then those that are ruled out."""
    from policies.mix.ranking import why

    for row in (*ranking.order.tolist(), *ranking.ruled_out):
        score = None if row in ranking.ruled_out else float(ranking.score[row])
        yield {"name": places.names[row], "score": score, "why": why(places, ranking, row)}


def _table(places: "Places", ranking: "Ranking") -> "Table":
    rows = [
        [each["name"], None if each["score"] is None else f"{each['score']:.3f}", each["why"]]
        for each in _documents(places, ranking)
    ]
    return table_of({"PLACE": "left", "SCORE": "right", "WHY": "left"}, rows)
