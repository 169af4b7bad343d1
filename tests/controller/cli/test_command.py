"""The command as a whole: its help, its exit codes, and what goes to stdout and stderr."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from controller import cli
from controller.cli import SUBCOMMANDS, Lazy
from controller.errors import Unavailable
from tests.controller.cli.shared import run

FORESAIL = str(Path(sys.executable).with_name("foresail"))


def _process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FORESAIL, *arguments], check=False, capture_output=True, text=True, timeout=60)


def test_help_goes_to_stdout_and_names_every_subcommand() -> None:
    done = _process("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name, lazy in SUBCOMMANDS.items():
        assert f" {name} " in done.stdout
        assert lazy.help.split()[0] in done.stdout


def test_an_unknown_subcommand_is_a_usage_error_on_stderr() -> None:
    done = _process("polcy")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'policy'?" in done.stderr


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from controller.cli import app;"
        "results = [CliRunner().invoke(app, [word]) for word in ('--help', 'version')];"
        "assert [result.exit_code for result in results] == [0, 0], results;"
        "print(sorted({'numpy', 'sqlalchemy', 'aiohttp', 'kubernetes', 'sklearn', 'policies'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in SUBCOMMANDS if name not in ("policy", "history")])
def test_every_subcommand_has_help_of_its_own(name: str) -> None:
    done = run(name, "--help")
    assert done.exit_code == 0, done.output
    assert f"foresail {name} [OPTIONS]" in done.stdout.replace("root", "foresail")


def test_version() -> None:
    assert run("version").stdout.startswith("foresail 0.")
    assert run("--version").stdout == run("version").stdout
    document = json.loads(run("version", "-o", "json").stdout)
    assert (document["apiVersion"], document["kind"]) == ("foresail.dev/v1alpha1", "Version")
    assert yaml.safe_load(run("version", "-o", "yaml").stdout) == document


def test_an_error_for_the_user_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_with(monkeypatch, Unavailable("the server is away"))
    done = run("version")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "error: the server is away\n")


def test_a_form_of_output_that_there_is_not() -> None:
    done = run("version", "-o", "xml")
    assert done.exit_code == 2
    assert "Invalid value for '-o' / '--output': 'xml' is not one of 'table', 'json', 'yaml'" in done.stderr


def test_an_interruption_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_with(monkeypatch, KeyboardInterrupt())
    assert run("version").exit_code == 130


def test_no_color_reaches_help_and_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    done = run("--no-color", "--help", FORCE_COLOR="1")
    assert done.exit_code == 0
    assert "\x1b[3" not in done.stdout


def _fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli, "failing", failing, raising=False)
    monkeypatch.setitem(SUBCOMMANDS, "version", Lazy("controller.cli:failing", "Fail."))
    assert isinstance(cli.app, typer.Typer)
