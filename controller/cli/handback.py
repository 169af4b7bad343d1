"""`foresail handback`: every workload to a plain autoscaler within its bounds, with no Foresail needed; and back."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import PARTIAL, RUNTIME
from controller.cli.flags import loaded, with_settings
from controller.cli.output import Output, OutputOption, emit, note, table_of
from controller.cli.policy import read
from controller.settings import catalogue
from policies.plain_hpa import plain_hpa, reads_demand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.adapters.kubernetes.handback import Handed
    from controller.cli.policy import Read
    from controller.settings import Settings
    from policies.spec import WorkloadPolicy

_SETTINGS = ("policies", "kubeconfig", "context")
AT_ONCE = 8
_COLUMNS = {"WORKLOAD": "left", "OUTCOME": "left", "MORE": "left"}


@with_settings(each for each in catalogue() if each.name in _SETTINGS)
def handback(
    workloads: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMESPACE/NAME]...", help="Policies of workloads to hand back.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Hand back every workload of the policies.")] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Remove those autoscalers, and let Foresail scale again.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the autoscalers as YAML for kubectl, and change nothing.")
    ] = False,
    output: OutputOption = Output.TABLE,
    **flags: object,
) -> None:
    """Leave workloads with a plain HorizontalPodAutoscaler that keeps their bounds; Foresail need not run.

    Each target is first annotated with foresail.dev/paused, so that Foresail, if it runs, lets go of it; then it gets
    back the autoscaler that `foresail takeover` took, as it was, or else an HPA with the largest min and max of its
    policy. Signals whose capacity is the pods' request become its metrics; without one it follows CPU at 70 % and never
    lowers. Objects that an autoscaler scales already are left to it.
    """
    settings = loaded(flags).settings
    found = policies_of(settings)
    chosen = chosen_of(found.policies, workloads or [], everything=everything)
    if dry_run:
        import yaml

        typer.echo(yaml.safe_dump_all(map(plain_hpa, chosen), sort_keys=False), nl=False)
    else:
        done = asyncio.run(_done(chosen, settings, undo=undo))
        tell("Handback", done, output)
        chosen = [policy for policy, each in zip(chosen, done, strict=True) if not each.as_it_was]
    blind = [policy.uid for policy in chosen if not reads_demand(policy)]
    if blind and not undo:
        note(
            f"an HPA cannot read the signals of {', '.join(blind)}: it follows CPU, and never lowers; watch its minimum"
        )
    if found.problems:
        note("error: what stands in policies with problems was left as it is")
        raise typer.Exit(PARTIAL)


def tell(kind: str, done: "Sequence[Handed]", output: Output) -> None:
    """Write what became of each workload; a failure ends the command with exit code 1."""
    rows = [(each.workload, each.outcome.value, each.message) for each in done]
    content = {"items": [dict(zip(("workload", "outcome", "message"), row, strict=True)) for row in rows]}
    emit(kind, content, output, lambda: table_of(_COLUMNS, rows))
    _end(done)


def policies_of(settings: "Settings") -> "Read":
    """The policies of the settings; problems go to stderr."""
    if not settings.policies:
        raise typer.BadParameter("name the folder or file with the policies", param_hint="--policies")
    found = read(list(settings.policies))
    for problem in found.problems:
        note(f"error: {problem}")
    return found


def chosen_of(
    policies: "Sequence[WorkloadPolicy]", workloads: "Sequence[str]", *, everything: bool
) -> "list[WorkloadPolicy]":
    """Those that are named, or all. Raises BadParameter."""
    if everything == bool(workloads):
        raise typer.BadParameter("name workloads as NAMESPACE/NAME, or say --all", param_hint="NAMESPACE/NAME")
    known = {policy.uid: policy for policy in policies}
    unknown = [each for each in workloads if each not in known]
    if unknown:
        had = ", ".join(sorted(known)) or "none"
        raise typer.BadParameter(f"no policy is named {unknown[0]}; there are {had}", param_hint="NAMESPACE/NAME")
    return list(policies) if everything else [known[each] for each in dict.fromkeys(workloads)]


async def _done(policies: "Sequence[WorkloadPolicy]", settings: "Settings", *, undo: bool) -> "list[Handed]":
    from controller.adapters.kubernetes.discovery import Discovery
    from controller.adapters.kubernetes.handback import Handback
    from controller.clients.kubernetes import connect
    from controller.clock import SystemClock

    async with await connect(kubeconfig=settings.kubeconfig, context=settings.context) as session:
        hands = Handback(session, Discovery(session, SystemClock()))
        one, at_once = hands.take_over if undo else hands.hand_back, asyncio.Semaphore(AT_ONCE)

        async def done(policy: "WorkloadPolicy") -> "Handed":
            async with at_once:
                return await one(policy)

        return await asyncio.gather(*map(done, policies))


def _end(done: "Sequence[Handed]") -> None:
    from controller.adapters.kubernetes.handback import Outcome

    failed = [each for each in done if each.outcome is Outcome.FAILED]
    if failed:
        note(f"error: {len(failed)} of {len(done)} failed; the others are done, and calling again tries what is left")
        raise typer.Exit(RUNTIME)
