"""Taking over from an HPA or a ScaledObject and giving back, with the API server failing at every write."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from controller.adapters.kubernetes.discovery import Discovery
from controller.adapters.kubernetes.handback import Handback, Handed, Outcome
from controller.adapters.kubernetes.owners import Scalers, scaler_of_scaled_object
from controller.records import TargetRef
from tests.controller.adapters.stored_objects import Document, StoredObjects
from tests.controller.clients.kubernetes_server import HurriedClock
from tests.controller.decisions import policy

if TYPE_CHECKING:
    from controller.clients.kubernetes import KubernetesSession

TARGET = "/apis/apps/v1/namespaces/shop/deployments/web"
HPA = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web"
KEDA = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/web"
TAKEN, PAUSED, KEDA_PAUSED = "foresail.dev/taken-over", "foresail.dev/paused", "autoscaling.keda.sh/paused"
REF = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
METADATA = {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "5"}
HPA_SPEC = {"scaleTargetRef": REF, "minReplicas": 2, "maxReplicas": 9, "behavior": {"scaleDown": {"tolerance": "0.2"}}}


def target(**annotations: str) -> Document:
    return {"metadata": {**METADATA, "annotations": annotations}, "spec": {"replicas": 3, "selector": {}}}


def hpa(**metadata: Any) -> Document:  # noqa: ANN401 - as YAML has it
    return {"metadata": {**METADATA, "labels": {"team": "a"}, **metadata}, "spec": HPA_SPEC}


def scaled_object(**annotations: str) -> Document:
    return {"metadata": {**METADATA, "annotations": annotations}, "spec": {"scaleTargetRef": REF}}


def before(kind: str) -> dict[str, Document]:
    return {TARGET: target(), **({HPA: hpa()} if kind == "hpa" else {KEDA: scaled_object()})}


def hands(stored: StoredObjects) -> Handback:
    session: KubernetesSession = stored  # type: ignore[assignment]  # the two methods that are used
    return Handback(session, Discovery(session, HurriedClock()))


async def take(stored: StoredObjects) -> Handed:
    return await hands(stored).take(policy("shop/web"))


async def give_back(stored: StoredObjects) -> Handed:
    return await hands(stored).hand_back(policy("shop/web"))


def noted(stored: StoredObjects, path: str = TARGET) -> dict[str, str]:
    found: dict[str, str] = stored.objects[path]["metadata"].get("annotations") or {}
    return found


async def test_an_hpa_is_kept_on_the_target_and_then_deleted_and_made_again_as_it_was() -> None:
    stored = StoredObjects(before("hpa"))
    taken = await take(stored)
    assert (taken.outcome, taken.message) == (Outcome.TAKEN_OVER, "from HorizontalPodAutoscaler web")
    assert stored.writes == [f"PATCH {TARGET}", f"DELETE {HPA}"]
    assert json.loads(noted(stored)[TAKEN])["spec"] == HPA_SPEC
    given = await give_back(stored)
    assert (given.outcome, given.message) == (Outcome.HANDED_BACK, "HorizontalPodAutoscaler web, as it was")
    made = stored.objects[HPA]
    assert (made["apiVersion"], made["kind"], made["spec"]) == ("autoscaling/v2", "HorizontalPodAutoscaler", HPA_SPEC)
    assert (made["metadata"]["name"], made["metadata"]["labels"]) == ("web", {"team": "a"})
    assert noted(stored) == {PAUSED: "handed-back"}


@pytest.mark.parametrize("pause", [None, "false", "true"])
async def test_a_scaled_object_is_paused_and_gets_its_own_pause_back(pause: str | None) -> None:
    own = {} if pause is None else {KEDA_PAUSED: pause}
    stored = StoredObjects({TARGET: target(), KEDA: scaled_object(**own)})
    assert (await take(stored)).message == "from ScaledObject web"
    assert noted(stored, KEDA) == {KEDA_PAUSED: "true", TAKEN: "true"}
    assert (await take(stored)).outcome is Outcome.TAKEN_OVER  # again: nothing is lost of what it was
    assert (await give_back(stored)).outcome is Outcome.HANDED_BACK
    assert noted(stored, KEDA) == own
    assert noted(stored) == {PAUSED: "handed-back"}


async def test_what_was_handed_back_is_taken_over_again() -> None:
    stored = StoredObjects(before("hpa"))
    for _ in range(2):
        assert (await take(stored)).outcome is Outcome.TAKEN_OVER
        assert PAUSED not in noted(stored)
        assert HPA not in stored.objects
        await give_back(stored)
        assert stored.objects[HPA]["spec"] == HPA_SPEC


@pytest.mark.parametrize("kind", ["hpa", "keda"])
@pytest.mark.parametrize("answer_lost", [False, True], ids=["not-done", "answer-lost"])
@pytest.mark.parametrize("fails_at", [0, 1, 2, 3, 4])
async def test_a_failure_at_any_write_loses_nothing_and_the_next_call_goes_on(
    kind: str, fails_at: int, *, answer_lost: bool
) -> None:
    """Two writes take over, three give back: at each of them, done or not, the autoscaler is there or kept."""
    undisturbed = StoredObjects(before(kind))
    await take(undisturbed)
    middle = copy.deepcopy(undisturbed.objects)
    await give_back(undisturbed)

    stored = StoredObjects(before(kind), fails_at, answer_lost=answer_lost)
    first = await take(stored)
    assert (first.outcome is Outcome.FAILED) == (fails_at < 2)
    assert any(path in stored.objects for path in (HPA, KEDA)) or TAKEN in noted(stored)
    await take(stored)
    assert _plain(stored.objects) == _plain(middle)
    stored.fails_at = None if fails_at < 2 else len(stored.writes) + fails_at - 2
    second = await give_back(stored)
    assert (second.outcome is Outcome.FAILED) == (fails_at >= 2)
    assert any(path in stored.objects for path in (HPA, KEDA)) or TAKEN in noted(stored)
    await give_back(stored)
    assert _plain(stored.objects) == _plain(undisturbed.objects)
    assert all(map(_somebody_scales, stored.seen))


def _somebody_scales(objects: dict[str, Document]) -> bool:
    """An autoscaler does, or Foresail may: it is not paused, and what it took from is kept."""
    keda = objects.get(KEDA)
    autoscaled = HPA in objects or (keda is not None and not scaler_of_scaled_object(keda).idle)
    told = objects[TARGET]["metadata"].get("annotations") or {}
    return autoscaled or (TAKEN in told and PAUSED not in told)


def _plain(objects: dict[str, Document]) -> dict[str, Document]:
    """Without annotations that are none: the first patch makes the mapping."""
    found = copy.deepcopy(objects)
    for each in found.values():
        each["metadata"].setdefault("annotations", {})
    return found


async def test_an_hpa_that_changed_since_it_was_kept_is_kept_anew() -> None:
    stored = StoredObjects(before("hpa"), fails_at=1)
    assert (await take(stored)).outcome is Outcome.FAILED
    stored.objects[HPA]["spec"] = {**HPA_SPEC, "maxReplicas": 20}
    await take(stored)
    await give_back(stored)
    assert stored.objects[HPA]["spec"]["maxReplicas"] == 20


OWNER = [{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "web", "controller": True}]


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        pytest.param({HPA: hpa(ownerReferences=OWNER)}, "InferenceService web made HorizontalPodAutoscaler", id="made"),
        pytest.param(
            {HPA: hpa(labels={"argocd.argoproj.io/instance": "shop"})},
            "Argo CD applies HorizontalPodAutoscaler web and would make it again; take it out of Git. For the target:"
            " remove spec.replicas from the manifest",
            id="applied-by-argo-cd",
        ),
        pytest.param(
            {HPA: hpa(labels={"foresail.dev/handed-back": "true"})}, "`foresail handback --undo` removes it", id="ours"
        ),
        pytest.param({HPA: hpa(), KEDA: scaled_object()}, "scale it both; remove one", id="two"),
        pytest.param({HPA: hpa(annotations={"a": "x" * 200_000})}, "is too large to be kept", id="too-large"),
        pytest.param({TARGET: target(**{TAKEN: "{"})}, "is no autoscaler", id="an-annotation-of-somebody-else"),
    ],
)
async def test_what_may_not_be_taken_over_is_left_with_the_way_out(objects: dict[str, Document], words: str) -> None:
    stored = StoredObjects({TARGET: target(), **objects})
    told = await take(stored)
    assert (told.outcome, stored.writes) == (Outcome.FAILED, [])
    assert words in told.message


async def test_where_nobody_scales_nothing_is_done() -> None:
    stored = StoredObjects({TARGET: target()})
    assert (await take(stored)).outcome is Outcome.UNCHANGED
    assert stored.writes == []


def test_a_scaled_object_that_is_paused_for_us_scales_nothing_until_somebody_unpauses_it() -> None:
    ref = TargetRef("apps/v1", "Deployment", "shop", "web")
    ours = scaler_of_scaled_object(scaled_object(**{TAKEN: "true", KEDA_PAUSED: "true"}))
    for item, idle in (
        (scaled_object(**{TAKEN: "true", KEDA_PAUSED: "true"}), True),
        (scaled_object(**{TAKEN: "true", KEDA_PAUSED: "false"}), False),
        (scaled_object(**{TAKEN: "true"}), False),
        (scaled_object(**{KEDA_PAUSED: "true"}), False),
    ):
        assert scaler_of_scaled_object(item).idle is idle
    scalers = Scalers()
    scalers.put(ours)
    assert scalers.of(ref) == []
    assert scalers.put(replace(ours, idle=False)) == {("shop", "Deployment", "web")}
    assert [each.name for each in scalers.of(ref)] == ["web"]
