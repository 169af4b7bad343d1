"""Settings as options of a subcommand: one option for each, made from the settings' own catalogue."""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import INVALID
from controller.cli.output import note
from controller.settings import Loaded, Setting, SettingsError, known_settings, load, values
from policies.quantities import duration_text

_PANELS = {
    "prometheus": "Prometheus",
    "journal": "Journal",
    "removal": "Brakes",
    "kill": "Brakes",
    "log": "Logging",
    "publish": "Publishing",
    "grafana": "Publishing",
    "runbook": "Publishing",
    "dashboard": "Publishing",
    "webhook": "Webhook",
    "auth": "Access",
    "action": "Access",
    "metrics": "Metrics API",
    "kubeconfig": "Kubernetes",
    "context": "Kubernetes",
    "namespace": "Kubernetes",
}
_CONFIG = typer.Option("--config", help="YAML file with settings, named as the flags are. (env: FORESAIL_CONFIG)")

Command = Callable[..., None]


def with_settings(settings: Iterable[Setting]) -> Callable[[Command], Command]:
    """Give a command `--config` and an option for each setting; they arrive as its keyword arguments `flags`."""
    options = [_parameter("config", Path | None, _CONFIG), *map(_of, settings)]

    def equipped(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [each.replace(kind=each.KEYWORD_ONLY) for each in own if each.kind != each.VAR_KEYWORD]
        signature = inspect.Signature([*kept, *options])
        command.__signature__ = signature  # type: ignore[attr-defined]  # where inspect.signature looks first
        command.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        return command

    return equipped


def loaded(flags: Mapping[str, object]) -> Loaded:
    """The settings that these flags, the environment and the file make; every problem ends the command."""
    config = flags.get("config")
    given = {name: value for name, value in flags.items() if name != "config" and value not in (None, [])}
    try:
        return load(given, os.environ, config if isinstance(config, Path) else None)
    except SettingsError as error:
        for problem in error.problems:
            note(f"error: {problem}")
        raise typer.Exit(INVALID) from error


def journal_url(given: str | None) -> str:
    """Where the journal is: as given by `--journal`, else as the daemon's settings have it."""
    if given is None:
        return loaded({}).settings.journal_url
    try:
        return values.journal_url(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--journal") from error


def _of(setting: Setting) -> inspect.Parameter:
    many, flag = isinstance(setting.default, tuple), isinstance(setting.default, bool)
    words = setting.help if setting.help.endswith(".") else f"{setting.help}."
    default = _default(setting)
    option = typer.Option(
        setting.flag,
        help=f"{words[:1].upper()}{words[1:]} (env: {setting.variable}{default and f', default: {default}'})",
        metavar=None if flag else "PATH" if many else "VALUE",
        show_default=False,
        rich_help_panel=_PANELS.get(setting.name.partition("_")[0], "Daemon"),
    )
    return _parameter(setting.name, list[str] | None if many else bool | None if flag else str | None, option)


def _parameter(name: str, kind: object, option: object) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, option],
    )


def _default(setting: Setting) -> str:
    if isinstance(setting.default, float) and known_settings()[setting.name].name.endswith("_s"):
        return duration_text(setting.default)
    return "" if setting.default in (None, "", ()) or isinstance(setting.default, bool) else str(setting.default)
