"""From drafts to policies in shadow: one for each object that is scaled or sized, and what became of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.migration.draft import Draft, Left, Measure, Sizing
from controller.migration.notes import Note
from controller.migration.signals import aim_of, signals_of
from policies.behavior import ScaleDown, ScaleUp
from policies.problems import PolicyError
from policies.resources.fed_by_size import fed_by_size
from policies.spec import API_VERSION, KIND, WorkloadPolicy, policy_from
from simulations.audit.autoscaler import ASSUMED_TARGET_RATIO, Autoscaler, ResourceMetric, limit_over

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.migration.draft import Place

Values = dict[str, object]

_MOST_TOLERANCE = 0.9  # of an incumbent


@dataclass(frozen=True, slots=True)
class Given:
    """What was decoded, each with its source; and what is known besides: replicas by object, queries by metric."""

    drafts: Sequence[tuple[Draft, str]]
    sizings: Sequence[tuple[Sizing, str]] = ()
    replicas: Mapping[Place, int] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imported:
    """A policy, the autoscalers that it comes from, and what is to be said of them."""

    policy: WorkloadPolicy
    sources: tuple[str, ...]
    notes: tuple[Note, ...]

    def document(self) -> Values:
        """Plain values for YAML, with the mode and the minimum written out."""
        document = self.policy.document()
        spec = document["spec"]
        if isinstance(spec, dict):
            bounds = {"min": self.policy.spec.replicas.min, **spec["replicas"]}
            document["spec"] = {"target": spec["target"], "mode": "shadow", **spec, "replicas": bounds}
        return document


def policies_of(given: Given) -> tuple[list[Imported], list[Left]]:
    """The policies, and what none could be made of."""
    scaled: dict[Place, tuple[Draft, str]] = {}
    left: list[Left] = []
    for draft, source in given.drafts:
        first = scaled.setdefault(draft.place, (draft, source))
        if first[0] is not draft:
            left.append(Left(source, f"{first[1]} scales the same object; two autoscalers fight over it, remove one"))
    sized = {sizing.place: (sizing, source) for sizing, source in given.sizings}
    for place, (sizing, source) in sized.items():
        if place in scaled:
            continue
        if (replicas := given.replicas.get(place)) is None:
            left.append(Left(source, _ALONE))
        else:
            scaled[place] = (_fixed(sizing, replicas), source)
    imported: list[Imported] = []
    for place, (draft, source) in scaled.items():
        taken = {each.policy.uid for each in imported}
        made = _imported(draft, source, sized.get(place), given.queries, taken)
        if isinstance(made, Left):
            left.append(made)
        else:
            imported.append(made)
    return imported, left


_ALONE = (
    "it needs no policy: Foresail recommends for every VerticalPodAutoscaler whose spec.recommenders names foresail."
    " For a policy, import it together with the object that it sizes, whose replicas are not known here"
)


def _fixed(sizing: Sizing, replicas: int) -> Draft:
    """What is sized and not scaled: its replicas stay as they are, and CPU is watched."""
    autoscaler = Autoscaler(
        kind="VerticalPodAutoscaler",
        namespace=sizing.namespace,
        name=sizing.name,
        target_api_version=sizing.target_api_version,
        target_kind=sizing.target_kind,
        target_name=sizing.target_name,
        min_replicas=replicas,
        max_replicas=replicas,
    )
    words = f"nothing scales the object: min and max are its replicas now ({replicas}), and its CPU is the signal"
    watched = Measure("spec.targetRef", ResourceMetric("cpu", target_ratio=ASSUMED_TARGET_RATIO))
    return Draft(autoscaler, (watched,), (Note("spec.targetRef", words, lost=False),))


def _imported(
    draft: Draft, source: str, sized: tuple[Sizing, str] | None, queries: Mapping[str, str], taken: set[str]
) -> Imported | Left:
    scaled, aim = draft.scaled, aim_of(draft.measures)
    signals, told = signals_of(draft, aim, queries)
    if not signals:
        return Left(source, "; ".join(map(str, told)) or "it has no metric, and a policy needs a signal that decides")
    name = scaled.target_name
    if f"{scaled.namespace}/{name}" in taken:  # by an object of another kind
        name = f"{name}-{scaled.target_kind.lower()}"
    spec = {
        "target": {"apiVersion": scaled.target_api_version, "kind": scaled.target_kind, "name": scaled.target_name},
        "replicas": _bounds(draft),
        "signals": signals,
        "objective": {"servingLimit": limit_over(aim.ratio)},
        "resources": "off" if sized is None else "recommend",
        **_steadiness(scaled, aim.ratio),
    }
    metadata = {"name": name, "namespace": scaled.namespace}
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    try:
        policy = policy_from(document, source=source)
    except PolicyError as error:
        return Left(source, "; ".join(f"{each.path}: {each.message}" for each in error.problems))
    fed = [Note(each.path, each.message, lost=False) for each in fed_by_size(policy, source=source)]
    sizing, sizing_source = sized or (None, source)
    notes = (*_about(scaled), *draft.notes, *aim.notes, *told, *(sizing.notes if sizing else ()), *fed)
    return Imported(policy, tuple(dict.fromkeys((source, sizing_source))), notes)


def _bounds(draft: Draft) -> Values:
    least, most = max(1, draft.scaled.min_replicas), draft.scaled.max_replicas
    return {"min": least, "max": most, "schedules": list(draft.schedules)}


def _steadiness(scaled: Autoscaler, aim_ratio: float) -> Values:
    """Behaviour, where it differs from the defaults that bind the incumbent alone; and the incumbent's own settings."""
    incumbent: Values = {"target": round(aim_ratio, 4)}
    behavior: Values = {}
    given = scaled.behavior
    if given is not None and given.scale_up not in (None, ScaleUp()):
        behavior["scaleUp"] = given.scale_up.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if given is not None and given.scale_down not in (None, ScaleDown()):
        behavior["scaleDown"] = given.scale_down.model_dump(mode="json", by_alias=True, exclude_unset=True)
        incumbent["tolerance"] = min(float(given.scale_down.tolerance), _MOST_TOLERANCE)
        incumbent["window"] = f"{given.scale_down.stabilization_window_seconds}s"
    return {**({"behavior": behavior} if behavior else {}), "incumbent": incumbent}


def _about(scaled: Autoscaler) -> list[Note]:
    """What the bounds and the behaviour leave to be said."""
    least = "minReplicaCount" if scaled.kind == "ScaledObject" else "minReplicas"
    zero = [Note(f"spec.{least}", "it may go to zero; a policy keeps at least one replica")]
    unread = [Note("spec.behavior", each.message) for each in scaled.findings]
    return [*(zero if scaled.min_replicas < 1 else []), *unread]
