"""`foresail takeover`: from the HPA or the ScaledObject that scales a workload to Foresail, which waits for that."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.flags import loaded, with_settings
from controller.cli.handback import AT_ONCE, chosen_of, policies_of, tell
from controller.cli.output import Output, OutputOption
from controller.cli.status import DEFAULT_URL, UrlOption, daemon
from controller.errors import Rejected
from controller.settings import catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.adapters.kubernetes.handback import Handed
    from controller.settings import Settings
    from policies.spec import WorkloadPolicy

_SETTINGS = ("policies", "kubeconfig", "context")


@with_settings(each for each in catalogue() if each.name in _SETTINGS)
def takeover(
    workloads: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMESPACE/NAME]...", help="Policies of workloads to take over.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Take over every workload of the policies.")] = False,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
    **flags: object,
) -> None:
    """Take workloads over from their autoscalers; `foresail handback` gives them back as they were.

    The running daemon must decide for them in mode active: it holds while an autoscaler is there, and goes on at once
    when it is not. What the autoscaler was is kept as the annotation foresail.dev/taken-over of the target first; then
    an HPA is deleted, and a ScaledObject is paused. Autoscalers of another controller, or that Git applies, are left.
    """
    settings = loaded(flags).settings
    chosen = chosen_of(policies_of(settings).policies, workloads or [], everything=everything)
    api = daemon(url)
    for policy in chosen:
        mode = api.workload(policy.metadata.namespace, policy.metadata.name)["mode"]
        if mode != "active":
            raise Rejected(
                f"the daemon at {url} has {policy.uid} in mode {mode}: nothing was taken over, as nothing would scale"
                " it then; set spec.mode to active, and call again"
            )
    tell("Takeover", asyncio.run(_done(chosen, settings)), output)


async def _done(policies: "Sequence[WorkloadPolicy]", settings: "Settings") -> "list[Handed]":
    from controller.adapters.kubernetes.discovery import Discovery
    from controller.adapters.kubernetes.handback import Handback
    from controller.clients.kubernetes import connect
    from controller.clock import SystemClock

    async with await connect(kubeconfig=settings.kubeconfig, context=settings.context) as session:
        hands, at_once = Handback(session, Discovery(session, SystemClock())), asyncio.Semaphore(AT_ONCE)

        async def done(policy: "WorkloadPolicy") -> "Handed":
            async with at_once:
                return await hands.take(policy)

        return await asyncio.gather(*map(done, policies))
