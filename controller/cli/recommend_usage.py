"""`foresail recommend resources --usage FILE`: a method of sizing on recorded usage, as advice or as an evaluation."""

import csv
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.cli.output import Output, emit, note, table_of
from controller.cli.whatif import given, share
from controller.errors import ForesailError
from policies.problems import either, nearest
from policies.quantities import parse_duration_s, parse_share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from rich.table import Table

    from policies.resources.methods import Aims
    from policies.resources.model import Method, Resource
    from simulations.sizing.walk import Walked

    Maker = Callable[[Aims], Method[Any]]

_SMALL_BYTES = 1 << 20
_MANY_CORES = 1000.0
_LEFT = ("SERIES", "RESOURCE", "WHY")


@dataclass(frozen=True, slots=True)
class UsageAsked:
    """What was asked on the command line."""

    usage: Path
    resource: "Resource"
    method: str
    every: str
    overrun: str
    changes_per_day: int


def told(asked: UsageAsked, *, evaluate: bool, requests_out: Path | None, form: str) -> None:
    """Walk the file and write what is recommended, or what the requests came to."""
    walk = _walked(asked, once=not evaluate)
    if requests_out is not None:
        _write(walk, requests_out)
    rows = _scored(walk) if evaluate else _advised(walk)
    if form == "csv":
        _csv(rows)
        return
    content = {"method": asked.method, "containers": rows}
    kind = "SizingEvaluation" if evaluate else "ResourceRecommendations"
    emit(kind, content, Output(form), lambda: _table(rows))


def _walked(asked: UsageAsked, *, once: bool) -> "Walked":
    from simulations.sizing.usage_file import read_usage
    from simulations.sizing.walk import Rules, walked

    every_s = given("--every", _interval_s, asked.every)
    method = _method(asked, None if once else every_s)
    usage = read_usage(asked.usage)
    most = usage.value.max(initial=0.0)
    if asked.resource == "memory" and most < _SMALL_BYTES:
        note(f"note: {asked.usage}: no value reaches 1 MiB; memory is read as bytes")
    if asked.resource == "cpu" and most > _MANY_CORES:
        note(f"note: {asked.usage}: a value is {most:.0f}; CPU is read as cores, of which vpa knows no more than 1000")
    return walked(usage, method, Rules(asked.resource, every_s, asked.changes_per_day))


def _interval_s(text: str) -> float:
    every_s = parse_duration_s(text)
    if every_s <= 0:
        raise ValueError(f"must be above 0, not {text}")
    return every_s


def _method(asked: UsageAsked, every_s: float | None) -> "Method[Any]":
    """A method that decides so often; None: once."""
    from policies.resources.methods import METHODS, Aims

    overrun = overrun_ratio(asked.overrun)
    aims = Aims.once(overrun) if every_s is None else Aims(overrun, asked.changes_per_day, every_s)
    return METHODS[method_named(asked.method)](aims)


def overrun_ratio(text: str) -> float:
    """The share that `--overrun` says."""
    return given("--overrun", lambda text: share(_share(text)), text)


def method_named(name: str) -> str:
    """The name of a method that there is, as `--method` says it."""
    from policies.resources.methods import METHODS

    return given("--method", lambda name: _known(name, METHODS), name)


def _share(text: str) -> float:
    """A share as users write it on the command line: ``1%`` or ``0.01``."""
    try:
        return parse_share(float(text))
    except ValueError:
        return parse_share(text)


def _known(name: str, methods: "Mapping[str, Maker]") -> str:
    if name not in methods:
        raise ValueError(f"must be {either(methods)}, not {name!r}{nearest(name, methods)}")
    return name


def _scored(walk: "Walked") -> list[dict[str, object]]:
    from simulations.sizing.scores import scores

    return [asdict(each) for each in scores(walk)]


def _advised(walk: "Walked") -> list[dict[str, object]]:
    """The advice at the end of the file; what containers request now, no usage file tells."""
    return [
        {
            "series": each["series"],
            "resource": each["resource"],
            "current": None,
            "recommended": each["target"],
            "lower": each["lower"],
            "upper": each["upper"],
            "why": why,
        }
        for each, why in zip(_scored(walk), walk.why, strict=True)
    ]


def _write(walk: "Walked", path: Path) -> None:
    """A row for each sample that met a request: series, timestamp, request."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = ~np.isnan(walk.request)
    which = np.repeat(np.arange(len(walk.usage.series)), np.diff(walk.usage.start))[made]
    names = pa.array([walk.usage.series[n] for n in which.tolist()], pa.string())
    at_s = walk.usage.at_s[made]
    times = pa.array(at_s.astype(np.int64) if (at_s == np.round(at_s)).all() else at_s)
    requests = pa.array(walk.request[made])
    try:
        pq.write_table(pa.table({"series": names, "timestamp": times, "request": requests}), path)
    except OSError as error:
        raise ForesailError(f"--requests-out: {path}: cannot be written: {error}") from error


def _csv(rows: list[dict[str, object]]) -> None:
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _table(rows: list[dict[str, object]]) -> "Table":
    titles = [name.replace("_", " ").removesuffix(" ratio").upper() for name in rows[0]]
    columns = {title: "left" if title in _LEFT else "right" for title in titles}
    return table_of(columns, [[_cell(name, row) for name in row] for row in rows])


def _cell(name: str, row: dict[str, object]) -> object:
    from policies.resources.model import amount_text

    value = row[name]
    if not isinstance(value, float):
        return value
    if name.endswith("_ratio"):
        return f"{value:.2%}"
    if name in ("excursions_per_week", "changes_per_day"):
        return f"{value:.2f}"
    return amount_text(value, "cpu" if row["resource"] == "cpu" else "memory")
