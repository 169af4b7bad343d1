"""`foresail recommend`: what would be better, and why. Changes nothing."""

import typer

from controller.cli.recommend_gpus import gpus
from controller.cli.recommend_resources import resources

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tell what would be better, why, and what it saves.")


@app.callback()
def recommend() -> None:
    """Tell what would be better, why, and what it saves."""


app.command()(gpus)
app.command()(resources)
