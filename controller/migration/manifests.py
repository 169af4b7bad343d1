"""The objects of an import by their kinds, decoded; where they stand as YAML, in files or on stdin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.autoscalers import made_by_keda
from controller.adapters.kubernetes.objects import controller_of
from controller.adapters.kubernetes.owners import applied_by
from controller.migration.draft import Draft, Left, Sizing
from controller.migration.hpa import hpa_draft
from controller.migration.keda import scaled_object_draft
from controller.migration.notes import Note
from controller.migration.policies import Given
from controller.migration.vpa import vpa_draft
from controller.policy_text import yaml_documents
from policies.problems import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controller.adapters.kubernetes.objects import Controller
    from controller.clients.kubernetes import JsonObject
    from controller.migration.draft import Place

_OTHERS = {"ScaledJob": "a ScaledJob starts jobs, and Foresail scales what has a scale"}


@dataclass(slots=True)
class Found:
    """What was found, as it is decoded. `namespace` is that of objects that name none."""

    namespace: str = "default"
    drafts: list[tuple[Draft, str]] = field(default_factory=list)
    sizings: list[tuple[Sizing, str]] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    replicas: dict[Place, int] = field(default_factory=dict)
    _of_keda: list[tuple[Controller | None, str, str]] = field(default_factory=list)

    def put(self, item: JsonObject, place: str) -> None:
        """Decode an object of `place`: a file, or the cluster. Kinds that scale nothing are passed over."""
        kind = str(item.get("kind"))
        metadata = {"namespace": self.namespace, **(item.get("metadata") or {})}
        item = {**item, "metadata": metadata}
        source = f"{kind} {metadata['namespace']}/{metadata.get('name')} ({place})"
        if kind in _OTHERS:
            self.left.append(Left(source, _OTHERS[kind]))
            return
        try:
            self._decoded(kind, item, source)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            words = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            self.left.append(Left(source, f"it cannot be read: {words}"))

    def without_policy(self) -> list[Left]:
        """What was found and is no draft; HPAs of KEDA, whose ScaledObjects stand for them, are not among it."""
        known = {(draft.scaled.kind, draft.scaled.namespace, draft.scaled.name) for draft, _ in self.drafts}
        orphans = [
            Left(source, "KEDA made it; import its ScaledObject in its place")
            for maker, namespace, source in self._of_keda
            if maker is not None and (maker.kind, namespace, maker.name) not in known
        ]
        return [*self.left, *orphans]

    def given(self, queries: Mapping[str, str]) -> Given:
        """What policies are made of."""
        return Given(self.drafts, self.sizings, self.replicas, queries)

    def _decoded(self, kind: str, item: JsonObject, source: str) -> None:
        match kind:
            case "HorizontalPodAutoscaler" if made_by_keda(item):
                self._of_keda.append((controller_of(item["metadata"]), item["metadata"]["namespace"], source))
            case "HorizontalPodAutoscaler":
                self.drafts.append((_in_git(hpa_draft(item), item["metadata"]), source))
            case "ScaledObject":
                self.drafts.append((_in_git(scaled_object_draft(item), item["metadata"]), source))
            case "VerticalPodAutoscaler":
                self.sizings.append((vpa_draft(item), source))
            case _ if isinstance(count := (item.get("spec") or {}).get("replicas"), int):
                metadata = item["metadata"]
                self.replicas[metadata["namespace"], kind, metadata["name"]] = count
            case _:
                pass


def take_text(found: Found, text: str, source: str) -> None:
    """Decode every object of a YAML text, and of lists in it. Raises PolicyError for what is no YAML."""
    documents, problems = yaml_documents(text, source)
    if problems:
        raise PolicyError(problems)
    for document in documents:
        for item in _items(document):
            found.put(item, source)


def _items(document: object) -> Iterator[JsonObject]:
    if not isinstance(document, dict):
        return
    if str(document.get("kind")).endswith("List"):
        for item in document.get("items") or ():
            yield from _items(item)
    else:
        yield document


def _in_git(draft: Draft, metadata: JsonObject) -> Draft:
    """With what to do about the GitOps tool that applies the autoscaler, before Foresail may write."""
    found = applied_by(metadata)
    if found is None:
        return draft
    tool, way_out = found
    words = f"{tool} applies this autoscaler: take it out of Git before mode active, and for its target {way_out}"
    return replace(draft, notes=(Note("metadata", words, lost=False), *draft.notes))
