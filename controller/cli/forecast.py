"""`foresail forecast evaluate`: how good forecasts would have been on load files, at rolling origins."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from controller.cli.output import Output, OutputOption, console, emit, table_of
from policies.quantities import duration_text, parse_duration_s

if TYPE_CHECKING:
    from rich.table import Table

    from simulations.forecast_backtest import Forecasts, Plan
    from simulations.forecast_scores import Score

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Measure forecasts on load files.")

MEDIAN = 0.5
_LEAST_LEVEL, _MOST_LEVEL = 0.01, 0.999
_WEEK_MIN = 7 * 24 * 60

Parsed = TypeVar("Parsed")

_Scored = dict[str, list["Score"]]


@app.callback()
def forecast() -> None:
    """Measure forecasts on load files."""


@app.command()
def evaluate(
    load: Annotated[list[Path], typer.Option(help="Parquet or CSV with timestamp (s, UTC) and value; again for more.")],
    horizons: Annotated[str, typer.Option(help="How far ahead, from 1m to 7d.")] = "1m,5m,15m,60m",
    origin_every: Annotated[str, typer.Option(help="Time between the moments at which forecasts are made.")] = "15m",
    warmup: Annotated[
        str | None,
        typer.Option(help="Load before the first origin. [default: 3d, or 1d of a load of a week or less]"),
    ] = None,
    quantiles: Annotated[str, typer.Option(help="Levels from 0.01 to 0.999.")] = "0.5,0.9,0.95,0.99",
    output: OutputOption = Output.TABLE,
    forecasts_out: Annotated[
        Path | None, typer.Option(help="Folder for FILE.parquet: origin, horizon_s, quantile, value, model.")
    ] = None,
) -> None:
    """Forecast each load from rolling origins, with what was known at each, and score what came.

    The model foresail is what the product would say: per horizon the model in charge by its own backtests. The other
    models are those it chooses from, ridge and seasonal_naive, and last_value. Gaps in a load are missing data.
    """
    from controller.errors import ForesailError
    from simulations.forecast_backtest import Plan
    from simulations.protocol import ProtocolError

    levels = _given("--quantiles", _levels, quantiles)
    plan = Plan(
        horizons_min=_given("--horizons", lambda text: tuple(map(_horizon, text.split(","))), horizons),
        every_min=_given("--origin-every", _minutes, origin_every),
        levels=(MEDIAN, *(level for level in levels if level != MEDIAN)),
        warmup_s=None if warmup is None else 60.0 * _given("--warmup", _minutes, warmup),
    )
    if len({each.stem for each in load}) < len(load):
        raise typer.BadParameter("two files have the same name; a series is named after its file", param_hint="--load")
    if forecasts_out is not None and not forecasts_out.is_dir():
        raise typer.BadParameter(f"there is no folder {forecasts_out}", param_hint="--forecasts-out")
    try:
        found = {each.stem: _evaluated(each, plan, levels, forecasts_out) for each in load}
    except (ProtocolError, OSError) as error:
        raise ForesailError(str(error)) from error
    emit("ForecastEvaluation", {"results": _documents(found)}, output, lambda: _table(found, levels))


def _evaluated(path: Path, plan: "Plan", levels: tuple[float, ...], out: Path | None) -> "list[Score]":
    from simulations.forecast_backtest import backtest
    from simulations.forecast_scores import scores
    from simulations.load_file import read_load
    from simulations.protocol import ProtocolError

    try:
        with _progress(path.stem) as on_origin:
            forecasts = backtest(read_load(path), plan, on_origin)
    except ProtocolError as error:
        raise ProtocolError(f"{path}: {error}") from error
    if out is not None:
        _write(out / f"{path.stem}.parquet", forecasts, plan, levels)
    return scores(forecasts, plan, levels)


@contextmanager
def _progress(series: str) -> Iterator[Callable[[int, int], None]]:
    """Progress on stderr, where that is a terminal."""
    from rich.progress import Progress

    shown = console(stderr=True)
    with Progress(console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task(series, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _write(path: Path, forecasts: "Forecasts", plan: "Plan", levels: tuple[float, ...]) -> None:
    """One row for each origin, horizon, level and model that said something."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [plan.levels.index(level) for level in levels]
    shape = (forecasts.origin_s.size, len(plan.horizons_min), len(levels))
    horizon_s = 60 * np.array(plan.horizons_min)[:, np.newaxis]
    each = {
        "origin": np.broadcast_to(forecasts.origin_s[:, np.newaxis, np.newaxis], shape).ravel(),
        "horizon_s": np.broadcast_to(horizon_s, shape).ravel(),
        "quantile": np.broadcast_to(np.array(levels), shape).ravel(),
    }
    tables = []
    for model, said in forecasts.said.items():
        value = said[:, :, columns].ravel()
        made = np.isfinite(value)
        kept = {name: pa.array(column[made]) for name, column in each.items()}
        names = pa.array([model] * int(made.sum()), pa.string())
        tables.append(pa.table({**kept, "value": pa.array(value[made]), "model": names}))
    pq.write_table(pa.concat_tables(tables), path)


def _documents(found: _Scored) -> list[dict[str, object]]:
    return [{"series": series, **asdict(score)} for series, scored in found.items() for score in scored]


def _table(found: _Scored, levels: tuple[float, ...]) -> "Table":
    columns = {"SERIES": "left", "MODEL": "left", **dict.fromkeys(("HORIZON", "FORECASTS", "WAPE", "MASE"), "right")}
    names = [f"{level:g}" for level in levels]
    columns |= {f"LOSS {name}": "right" for name in names} | {f"COVER {name}": "right" for name in names}
    columns |= {"FIT (s)": "right"}
    rows = [_row(series, score, names) for series, scored in found.items() for score in scored]
    return table_of(columns, rows)


def _row(series: str, score: "Score", names: list[str]) -> list[object]:
    def percent(figure: float | None) -> str | None:
        return None if figure is None else f"{figure:.1%}"

    def share_of_mean(loss: float | None) -> str | None:
        return None if loss is None or not score.mean else f"{loss / score.mean:.2%}"

    mase = None if score.mase is None else f"{score.mase:.3f}"
    return [
        *(series, score.model, duration_text(score.horizon_s), score.forecasts, percent(score.wape), mase),
        *(share_of_mean(score.pinball[name]) for name in names),
        *(percent(score.coverage[name]) for name in names),
        f"{score.fit_s:.3f}",
    ]


def _given(option: str, parse: Callable[[str], Parsed], given: str) -> Parsed:
    """Parse an option's value; what is wrong with it ends the command as a usage error."""
    try:
        return parse(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _minutes(text: str) -> int:
    seconds = parse_duration_s(text)
    if seconds < 60 or seconds % 60:  # noqa: PLR2004 - a minute
        raise ValueError(f"must be whole minutes, at least 1m, not {text!r}")
    return int(seconds // 60)


def _horizon(text: str) -> int:
    minutes = _minutes(text.strip())
    if minutes > _WEEK_MIN:
        raise ValueError(f"must be from 1m to 7d, not {text.strip()!r}")
    return minutes


def _levels(text: str) -> tuple[float, ...]:
    levels = []
    for word in text.split(","):
        try:
            level = float(word)
        except ValueError:
            raise ValueError(f"must be numbers with commas between, not {word.strip()!r}") from None
        if not _LEAST_LEVEL <= level <= _MOST_LEVEL:
            raise ValueError(f"must be from {_LEAST_LEVEL:g} to {_MOST_LEVEL:g}, not {level:g}")
        levels.append(level)
    if len(set(levels)) < len(levels):
        raise ValueError(f"must name each level once, not {text!r}")
    return tuple(levels)
