"""What `foresail dashboards` and `foresail alerts` share: targets from options, and how results are told."""

import asyncio
import difflib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import INVALID, RUNTIME, USAGE
from controller.cli.flags import loaded
from controller.cli.output import Output, emit, note, table_of
from controller.settings import Setting, Settings, catalogue

if TYPE_CHECKING:
    from controller.ports import Publisher
    from controller.publish import Content
    from controller.records import Publication

OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder of files.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over what a person changed, too.")]


class Topic(StrEnum):
    """What a command is about."""

    DASHBOARDS = "dashboards"
    ALERTS = "alerts"


_FOR_ALL = ("publish_namespace", "kubeconfig", "context", "namespace", "runbook_url")
_FOR: Mapping[Topic, tuple[str, ...]] = {
    Topic.DASHBOARDS: (
        *("grafana_url", "grafana_token_file", "grafana_ca_file", "grafana_organization", "grafana_folder"),
        "publish_dashboards",
        *_FOR_ALL,
    ),
    Topic.ALERTS: (
        *("policies", "publish_rules", "publish_release", "publish_reload_url", "dashboard_url"),
        *_FOR_ALL,
    ),
}


def settings_of(topic: Topic) -> tuple[Setting, ...]:
    """The settings that become options of a topic's commands."""
    return tuple(each for each in catalogue() if each.name in _FOR[topic])


def content_of(flags: Mapping[str, object], out: Path | None = None) -> "tuple[Settings, Content]":
    """The settings that these options make, and what is rendered with them; --out stands for publish_dir."""
    from controller.policy_text import load_policies
    from controller.publish import Content
    from controller.publishers import links_of
    from policies.problems import PolicyError

    given = dict(flags) if out is None else {**flags, "publish_dir": str(out)}
    settings = loaded(given).settings
    try:
        policies = tuple(policy for path in settings.policies for policy in load_policies(path))
    except (PolicyError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--policies") from error
    return settings, Content(links_of(settings), policies)


def render(files: Mapping[str, str], out: Path | None) -> None:
    """Write files to a folder whatever is there, or name them where there is none."""
    from controller.adapters.published_files import write_files

    if out is None:
        for name, text in files.items():
            typer.echo(f"{name}\t{len(text.encode())} bytes")
        note("nothing is written; name a folder with --out")
        return
    write_files(out, files)
    note(f"wrote {len(files)} files to {out}")


def differences(files: Mapping[str, str], out: Path, obsolete: Callable[[str], bool]) -> bool:
    """Print what a folder's files would change by, as a unified diff; True where there is something."""
    found = False
    here = {path.name for path in out.iterdir() if obsolete(path.name)} if out.is_dir() else set()
    for name in sorted(files.keys() | here):
        path = out / name
        now = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = difflib.unified_diff(now.splitlines(), files.get(name, "").splitlines(), str(path), name, lineterm="")
        for line in lines:
            found = True
            typer.echo(line)
    return found


def publish(
    topic: Topic, settings: Settings, content: "Content", *, write: bool, force: bool, output: Output
) -> "tuple[Publication, ...]":
    """Publish to every target that the settings name, or only tell what would be done; no target is a usage error."""
    done = asyncio.run(_published(topic, settings, content, write=write, force=force))
    if done is None:
        note(f"error: nowhere to publish {topic} to; name a target: {', '.join(_targets(topic))}")
        raise typer.Exit(USAGE)
    rows = [(target, each.name, each.result, each.message) for target, each in done]
    columns = {"TARGET": "left", "NAME": "left", "RESULT": "left", "MESSAGE": "left"}
    items = [
        {"target": target, "name": name, "result": result, "message": words} for target, name, result, words in rows
    ]
    emit("Publications", {"items": items}, output, lambda: table_of(columns, rows))
    return tuple(each for _, each in done)


def end(done: "Sequence[Publication]") -> None:
    """End with the runtime error's code where something failed."""
    from controller.publish import FAILED

    if any(each.result in FAILED for each in done):
        raise typer.Exit(RUNTIME)


def end_of_diff(done: "Sequence[Publication]", *, differs: bool) -> None:
    """End with 3 where something would be written or was changed by a person."""
    end(done)
    if differs or any(each.result != "unchanged" for each in done):
        raise typer.Exit(INVALID)


async def _published(
    topic: Topic, settings: Settings, content: "Content", *, write: bool, force: bool
) -> "list[tuple[str, Publication]] | None":
    async with _publishers(topic, settings, content) as publishers:
        found = [(each.name, one) for each in publishers for one in await each.publish(write=write, force=force)]
        return found if publishers else None


@asynccontextmanager
async def _publishers(topic: Topic, settings: Settings, content: "Content") -> "AsyncIterator[list[Publisher]]":
    from controller.app import own_namespace
    from controller.clients.kubernetes import connect
    from controller.publishers import files, grafana, in_cluster

    dashboards = topic is Topic.DASHBOARDS
    off = {"publish_rules": "off"} if dashboards else {"publish_dashboards": "off", "grafana_url": None}
    wanted = replace(settings, **off)
    async with files(wanted, lambda: content) as in_folder:
        found: list[Publisher] = [each for each in in_folder if each.name.startswith("dashboard") == dashboards]
        found += grafana(wanted, lambda: content)
        if wanted.publish_dashboards == wanted.publish_rules == "off":
            yield found
            return
        async with await connect(kubeconfig=wanted.kubeconfig, context=wanted.context) as session:
            yield [*found, *in_cluster(wanted, lambda: content, session, own_namespace(wanted))]


def _targets(topic: Topic) -> tuple[str, ...]:
    cluster = "--publish-dashboards" if topic is Topic.DASHBOARDS else "--publish-rules"
    return ("--out", *(["--grafana-url"] if topic is Topic.DASHBOARDS else []), cluster)
