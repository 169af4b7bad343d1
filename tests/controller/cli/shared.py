"""The command line as tests run it."""

from typer.testing import CliRunner, Result

from controller.cli import app


def run(*arguments: str, stdin: str = "", **environment: str) -> Result:
    """Run `foresail` with these arguments in this process."""
    return CliRunner().invoke(app, list(arguments), input=stdin, env={"COLUMNS": "200", **environment})
