"""VerticalPodAutoscalers as what a policy says of sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.migration.draft import Sizing
from controller.migration.notes import Note, unread
from controller.vertical.records import RECOMMENDER

if TYPE_CHECKING:
    from controller.clients.kubernetes import JsonObject

_READ = frozenset({"spec.targetRef", "spec.recommenders", "spec.updatePolicy.updateMode"})
_OFF = ("Off", False)  # YAML 1.1 reads a plain Off as false
_APPLIED = "stays in the VerticalPodAutoscaler: Foresail recommends, and VPA's updater applies"
_STAYS = f"stays in the VerticalPodAutoscaler, which Foresail follows once its spec.recommenders names {RECOMMENDER}"
_WHY = {
    "spec.resourcePolicy": _STAYS,
    "spec.updatePolicy.minReplicas": _APPLIED,
    "spec.updatePolicy.evictionRequirements": _APPLIED,
    "spec.startupBoost": _STAYS,
}


def vpa_draft(item: JsonObject) -> Sizing:
    """Decode a VerticalPodAutoscaler. Raises KeyError and TypeError for what is none."""
    spec: dict[str, Any] = item["spec"]
    target = spec["targetRef"]
    return Sizing(
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        target_api_version=target.get("apiVersion") or "apps/v1",
        target_kind=target["kind"],
        target_name=target["name"],
        notes=(*_recommended(spec), *_updated(spec), *unread({"spec": spec}, _READ, _WHY)),
    )


def _recommended(spec: dict[str, Any]) -> list[Note]:
    named = [str(each.get("name")) for each in spec.get("recommenders") or ()]
    if RECOMMENDER in named:
        return []
    now = ", ".join(named) or "VPA's default"
    words = f"{now} recommends now; with [{{name: {RECOMMENDER}}}] its status has what Foresail recommends"
    return [Note("spec.recommenders", words, lost=False)]


def _updated(spec: dict[str, Any]) -> list[Note]:
    mode = (spec.get("updatePolicy") or {}).get("updateMode", "Auto")
    if mode in _OFF:
        return []
    words = f"{mode}: a policy only recommends; VPA's updater goes on applying what its recommender says"
    return [Note("spec.updatePolicy.updateMode", words)]
