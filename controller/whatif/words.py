"""What a what-if says beside its figures: what is not replayed, and the lines of the policy to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from policies.quantities import duration_text, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.whatif import Answered, Question
    from policies.spec import WorkloadPolicy
    from simulations.changed import Compared, Terms

_MANY_CENSORED = 0.01
_FAR_LATE, _FAR_HOURS = 0.01, 0.1  # from what happened: in the share that was late, and of replica-hours


def lines_to_change(policy: WorkloadPolicy, terms: tuple[Terms, ...]) -> str:
    """The lines of the policy's YAML that make it the one asked for, the last of `terms`."""
    present, asked = terms[0], terms[-1]
    replicas = {
        name: count
        for name, count, before in zip(("min", "max"), asked.replicas, present.replicas, strict=True)
        if count != before
    }
    objective: dict[str, Any] = {}
    if asked.late_ratio != present.late_ratio:
        objective["late"] = asked.late_ratio
    if asked.price != present.price:
        objective["prices"] = {"replicaHour": asked.price}
    spec = {name: part for name, part in (("replicas", replicas), ("objective", objective)) if part}
    if not spec:
        return ""
    return f"# {policy.uid}\n{yaml.safe_dump({'spec': spec}, sort_keys=False)}"


def notes(policy: WorkloadPolicy, question: Question, found: Answered) -> tuple[str, ...]:
    """What to know before the figures are believed."""
    return tuple(_notes(policy, question, found))


def _notes(policy: WorkloadPolicy, question: Question, found: Answered) -> Iterator[str]:
    startup = duration_text(round(question.startup_s))
    yield (
        "Not replayed: budgets, GPU quotas, the fleet breaker, holds, pauses and overrides, and signals of pressure."
        f" Every start takes {startup}, as the last ones did; replicas are released at once."
    )
    yield from _of_fidelity(found.compared)
    evidence = found.compared.evidence
    if evidence.censored_ratio > _MANY_CENSORED:
        yield (
            f"In {evidence.censored_ratio:.0%} of the time replicas were saturated, so that more may have been wanted"
            " than was seen: policies with more replicas would have served load that is not in these figures."
        )
    if not found.whole:
        first = moment_text(int(found.read_s[0]))
        yield f"There was time to read the journal back to {first} only; ask for fewer days to have it all."
    yield from _of_policy(policy, question)


def _of_fidelity(compared: Compared) -> Iterator[str]:
    """Whether the replay of the present policy comes near what really happened under it."""
    happened, present = compared.happened, compared.policies[0]
    if happened is None or happened.late_ratio is None or present.late_ratio is None:
        return
    hours = present.replica_hours - happened.replica_hours
    if abs(present.late_ratio - happened.late_ratio) > _FAR_LATE or abs(hours) > _FAR_HOURS * happened.replica_hours:
        yield (
            f"The replay is not faithful here: replayed, the present policy has {present.replica_hours:.4g}"
            f" replica-hours and is late for {present.late_ratio:.2%}, where it really had"
            f" {happened.replica_hours:.4g} and was late for {happened.late_ratio:.2%}."
            " Compare policies with one another, and not with what happened."
        )


def _of_policy(policy: WorkloadPolicy, question: Question) -> Iterator[str]:
    spec = policy.spec
    if min(terms.replicas[0] for terms in question.policies) == 0:
        yield "Zero replicas are not replayed: at least one stays."
    if question.policies[0].rule is not None:
        yield "The policy forecasts nothing, so Kubernetes' rule alone is replayed, which knows no late."
    elif spec.behavior is not None:
        yield "The policy's own behavior is not replayed."
    if spec.replicas.schedules:
        yield "Schedules are not replayed; while one is active its bounds stand in place of min and max."
    if spec.forecast.events:
        yield "Declared events are not replayed."
    if spec.objective.late == "incumbent":
        yield f"The policy says late: incumbent; {question.policies[0].late_ratio:g} stands for it."
    if spec.objective.slo is not None:
        yield "The SLO's hourly limit is not replayed."
    if spec.objective.prices is not None and spec.objective.prices.late_request is not None:
        yield "The price of late requests is not replayed, so less may come late than is told."
    if spec.placement is not None:
        yield "All replicas are taken as on-demand ones, at their price; spot is not replayed."
