"""`foresail mix replay`: what a policy for spot and on-demand replicas would have cost and missed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.output import Output
from controller.cli.whatif import FiguresOption, given, show
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from simulations.spot_contenders import Contender
    from simulations.spot_market import Market, Replayed
    from simulations.spot_traces import Availability

ON_DEMAND = "on-demand"
_LONGEST_STARTUP_STEPS = 10_000
_TITLES = {
    "policy": "policy",
    "objective": "objective (share short)",
    "steps": "steps",
    "warmup_s": "not counted at the start (s)",
    "cost_ratio": "cost over all on-demand",
    "short_ratio": "short (share of replica-time)",
    "spot_share": "spot (share of ready replica-time)",
    "interruptions": "replicas interrupted",
    "launches": "launches, spot and on-demand",
}


@dataclass(frozen=True, slots=True)
class _Pace:
    """Times in whole steps."""

    step_s: float
    startup_steps: int
    notice_steps: int
    warmup_steps: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the options ask for, parsed."""

    availability: Path
    prices: dict[str, float]  # by trace
    most: int
    replicas: int | Path
    refused: float | str | None  # a share, or a trace of what on-demand takes
    pace: _Pace


def replay(
    availability: Annotated[
        Path, typer.Option(help="Parquet with columns trace, timestamp (s, UTC) and value: replicas obtainable.")
    ],
    pool: Annotated[
        list[str],
        typer.Option(metavar="TRACE=PRICE", help="A spot pool and its price over on-demand's; again for more."),
    ],
    replicas: Annotated[str, typer.Option(metavar="N|FILE", help="Replicas needed: a number, or a load file.")],
    max_per_pool: Annotated[
        int | None, typer.Option(min=1, help="Most replicas in a pool. [default: what the trace holds; any, if 0 or 1]")
    ] = None,
    startup: Annotated[str, typer.Option(help="Time from a launch until a replica serves.")] = "300s",
    notice: Annotated[str, typer.Option(help="Warning before an interruption.")] = "0s",
    policy: Annotated[
        str, typer.Option(help="foresail, skyserve[:base=N][,over=N], on-demand or clairvoyant.")
    ] = "foresail",
    objective: Annotated[float, typer.Option(help="Share of replica-time that may be short.")] = 0.01,
    on_demand_refused: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|TRACE", help="On-demand is refused so often, when spot is scarcest; or by a trace."
        ),
    ] = None,
    warmup: Annotated[str, typer.Option(help="Time at the start that is not counted.")] = "2h",
    step: Annotated[str, typer.Option(help="Step of the replay.")] = "30s",
    output: FiguresOption = Output.TABLE,
    plan_out: Annotated[
        Path | None, typer.Option(help="Write here: parquet with timestamp, pool, wanted, ready.")
    ] = None,
) -> None:
    """Replay a policy on recorded spot availability: its cost, and how much of the need was short.

    A replica is billed from its launch. The need is known one start-up and a step ahead. Interruptions are replicas
    that spot took back; launches are all that were accepted, on spot (probes too) and on demand. Neither counts before
    the warm-up ends.
    """
    if plan_out is not None and not plan_out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {plan_out.parent}", param_hint="--plan-out")
    pace = _pace(step=step, startup=startup, notice=notice, warmup=warmup)
    wanted = _Wanted(
        availability=availability,
        prices=_prices(pool),
        most=max_per_pool or 0,
        replicas=_replicas(replicas),
        refused=_refused(on_demand_refused),
        pace=pace,
    )
    given("--objective", _objective, objective)
    seen, market = _market(wanted)
    figures: dict[str, object]
    if policy == "clairvoyant":
        if plan_out is not None:
            raise typer.BadParameter("the clairvoyant writes no plan", param_hint="--plan-out")
        from simulations.spot_clairvoyant import clairvoyant_ratio

        figures = {"cost_ratio": clairvoyant_ratio(market, skip=pace.warmup_steps), "short_ratio": 0.0}
    else:
        figures = _replayed(market, _contender(policy), seen, wanted, objective=objective, plan_out=plan_out)
    report = {
        "policy": policy,
        "objective": objective,
        "steps": market.due.size,
        "warmup_s": pace.warmup_steps * pace.step_s,
        **figures,
    }
    show(report, output, lambda: _show_table(report))


def _replayed(
    market: Market,
    contender: Contender,
    seen: Availability,
    wanted: _Wanted,
    *,
    objective: float,
    plan_out: Path | None,
) -> dict[str, object]:
    from simulations.spot_market import figures, replay

    done = replay(market, contender, objective=objective)
    if plan_out is not None:
        _write_plan(plan_out, seen.at_s, [*wanted.prices, ON_DEMAND], done)
    return asdict(figures(market, done, skip=wanted.pace.warmup_steps))


def _market(wanted: _Wanted) -> tuple[Availability, Market]:
    import numpy as np

    from controller.errors import ForesailError
    from policies.mix.model import NO_LIMIT
    from simulations.spot_market import Market
    from simulations.spot_traces import Availability, read_availability, replicas_on

    pace = wanted.pace
    seen = read_availability(wanted.availability, list(wanted.prices), step_s=pace.step_s)
    if isinstance(wanted.replicas, Path):
        due, inside = replicas_on(wanted.replicas, seen.at_s)
        seen, due = Availability(seen.at_s[inside], seen.replicas[:, inside]), due[inside]
    else:
        due = np.full(seen.at_s.size, wanted.replicas, np.int64)
    if due.size <= pace.warmup_steps or not due[pace.warmup_steps :].any():
        raise ForesailError(f"{wanted.availability}: nothing is needed after a warm-up of {pace.warmup_steps} steps")
    most = wanted.most or NO_LIMIT
    price = np.array(list(wanted.prices.values()))
    return seen, Market(
        available=np.minimum(seen.replicas, most),
        price=price,
        limit=np.full(price.size, most, np.int64),
        due=due,
        on_demand=_on_demand(wanted, seen),
        step_s=pace.step_s,
        startup_steps=pace.startup_steps,
        notice_steps=pace.notice_steps,
    )


def _on_demand(wanted: _Wanted, seen: Availability) -> BoolArray:
    import numpy as np

    from simulations.spot_traces import read_availability, scarcest

    if wanted.refused is None:
        return np.ones(seen.at_s.size, np.bool_)
    if isinstance(wanted.refused, float):
        return ~scarcest(seen.replicas, wanted.refused, step_s=wanted.pace.step_s)
    taken = read_availability(wanted.availability, [wanted.refused, *wanted.prices], step_s=wanted.pace.step_s)
    row = np.clip(np.searchsorted(taken.at_s, seen.at_s), 0, taken.at_s.size - 1)
    found: BoolArray = taken.replicas[0, row] > 0
    return found


def _pace(*, step: str, startup: str, notice: str, warmup: str) -> _Pace:
    step_s = given("--step", parse_duration_s, step)
    if step_s <= 0:
        raise typer.BadParameter("must be above 0", param_hint="--step")
    steps = {}
    for name, text in {"startup": startup, "notice": notice, "warmup": warmup}.items():
        seconds = given(f"--{name}", parse_duration_s, text)
        if seconds < 0 or seconds % step_s:
            raise typer.BadParameter(f"must be whole steps of {step_s:g} s, not {seconds:g} s", param_hint=f"--{name}")
        steps[name] = round(seconds / step_s)
    if not 1 <= steps["startup"] <= _LONGEST_STARTUP_STEPS:
        raise typer.BadParameter(f"must be 1 to {_LONGEST_STARTUP_STEPS} steps of {step_s:g} s", param_hint="--startup")
    return _Pace(step_s, steps["startup"], steps["notice"], steps["warmup"])


def _prices(texts: list[str]) -> dict[str, float]:
    prices: dict[str, float] = {}
    for text in texts:
        trace, equals, price = text.rpartition("=")
        if not equals or not trace:
            raise typer.BadParameter(f"{text!r} is not TRACE=PRICE, as in us-east-1a=0.35", param_hint="--pool")
        if trace in prices or trace == ON_DEMAND:
            fault = "is given twice" if trace in prices else "is the name of the on-demand part"
            raise typer.BadParameter(f"pool {trace} {fault}", param_hint="--pool")
        prices[trace] = given("--pool", partial(_price, trace), price)
    return prices


def _price(trace: str, text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 < price < float("inf"):
        raise ValueError(f"the price of {trace} must be a number above 0, relative to on-demand = 1, not {text!r}")
    return price


def _replicas(text: str) -> int | Path:
    if not text.lstrip("+-").isdigit():
        return Path(text)
    if not 1 <= int(text) <= (most := 1_000_000):
        raise typer.BadParameter(f"must be 1 to {most}, or a load file, not {text}", param_hint="--replicas")
    return int(text)


def _refused(text: str | None) -> float | str | None:
    try:
        share = float(text or "nan")
    except ValueError:
        return text
    if text and not 0 <= share <= 1:
        raise typer.BadParameter(
            f"must be a share from 0 to 1 or a trace, not {text}", param_hint="--on-demand-refused"
        )
    return share if text else None


def _objective(share: float) -> float:
    if not 0 < share < 1:
        raise ValueError(f"must be a share above 0 and below 1, not {share:g}")
    return share


def _contender(text: str) -> Contender:
    from simulations.spot_contenders import parse_contender

    return given("--policy", parse_contender, text)


def _write_plan(path: Path, at_s: FloatArray, names: list[str], done: Replayed) -> None:
    """Write a row per step and pool, on-demand included, step by step."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    def column(kind: pa.DataType, values: FloatArray | IntArray) -> pa.Array[Any]:
        # By buffers: where pandas is installed, pa.array imports it, which takes a second.
        return pa.Array.from_buffers(kind, values.size, [None, pa.py_buffer(values.tobytes())])

    pools = column(pa.int64(), np.tile(np.arange(len(names)), at_s.size))
    columns = {
        "timestamp": column(pa.float64(), np.repeat(at_s, len(names))),
        "pool": pa.DictionaryArray.from_arrays(pools, pa.array(names)).dictionary_decode(),
        "wanted": column(pa.int64(), np.ascontiguousarray(done.wanted.T)),
        "ready": column(pa.int64(), np.ascontiguousarray(done.ready.T)),
    }
    pq.write_table(pa.table(list(columns.values()), names=list(columns)), path)


def _show_table(report: dict[str, object]) -> None:
    from controller.cli.output import console, table_of

    rows = [(_TITLES[name], f"{value:.4g}" if isinstance(value, float) else value) for name, value in report.items()]
    table = table_of({"figure": "left", "value": "right"}, rows)
    table.show_header = False
    console().print(table)
