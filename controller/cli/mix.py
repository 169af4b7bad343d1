"""`foresail mix`: committed, on-demand and spot capacity."""

import typer

from controller.cli.mix_plan import plan
from controller.cli.mix_replay import replay

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Plan committed, on-demand and spot capacity.")


@app.callback()
def mix() -> None:
    """Plan committed, on-demand and spot capacity."""


app.command()(plan)
app.command()(replay)
