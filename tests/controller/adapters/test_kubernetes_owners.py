"""Who else scales an object, and what Foresail says about it."""

from __future__ import annotations

from typing import Any

import pytest

from controller.adapters.kubernetes.objects import Controller, Scaled
from controller.adapters.kubernetes.owners import Scalers, owner_of, scaler_of_hpa, scaler_of_scaled_object
from controller.records import TargetRef

Document = dict[str, Any]
REF = TargetRef("apps/v1", "Deployment", "shop", "web")


def hpa(name: str = "web", target: str = "web", version: str | None = "apps/v1", **metadata: object) -> Document:
    reference = {"kind": "Deployment", "name": target} | ({"apiVersion": version} if version else {})
    return {"metadata": {"namespace": "shop", "name": name, **metadata}, "spec": {"scaleTargetRef": reference}}


def made_by(kind: str, name: str) -> Document:
    reference = {"apiVersion": "example.com/v1", "kind": kind, "name": name, "controller": True}
    return {"ownerReferences": [reference]}


def scaled(controller: Controller | None = None, *managers: str) -> Scaled:
    return Scaled(REF, "u", "1", paused=False, deleted=False, controller=controller, managers=managers, scale=None)


@pytest.mark.parametrize(
    ("scaler", "told"),
    [
        pytest.param(
            scaler_of_hpa(hpa()), "HorizontalPodAutoscaler shop/web scales this object; delete it, or set", id="hpa"
        ),
        pytest.param(
            scaler_of_hpa(hpa("keda-hpa-web", **made_by("ScaledObject", "web-scaler"))),
            "ScaledObject shop/web-scaler (KEDA) scales this object; delete it, or",
            id="hpa-that-keda-made",
        ),
        pytest.param(
            scaler_of_hpa(hpa("llm-hpa", **made_by("InferenceService", "llm"))),
            "HorizontalPodAutoscaler shop/llm-hpa, made by InferenceService shop/llm, scales this object; turn",
            id="hpa-that-an-operator-made",
        ),
        pytest.param(
            scaler_of_scaled_object(
                {"metadata": {"namespace": "shop", "name": "so"}, "spec": {"scaleTargetRef": {"name": "web"}}}
            ),
            "ScaledObject shop/so (KEDA) scales this object; delete it, or",
            id="scaled-object-with-the-default-kind",
        ),
    ],
)
def test_an_autoscaler_is_named_with_the_way_out(scaler: Any, told: str) -> None:  # noqa: ANN401 - a column
    scalers = Scalers()
    scalers.put(scaler)

    assert (owner_of(scaled(), scalers.of(REF)) or "").startswith(told)


@pytest.mark.parametrize(
    ("managers", "tool"),
    [
        pytest.param(("argocd-controller",), "Argo CD", id="argo-cd"),
        pytest.param(("argocd-application-controller",), "Argo CD", id="argo-cd-of-old"),
        pytest.param(("kubectl", "kustomize-controller"), "Flux", id="flux-beside-kubectl"),
        pytest.param(("helm-controller",), "Flux", id="flux-helm"),
        pytest.param(("kubectl-client-side-apply",), None, id="kubectl"),
        pytest.param(("helm",), None, id="helm-by-hand"),
        pytest.param(("foresail", "kube-controller-manager"), None, id="foresail"),
        pytest.param((), None, id="nobody"),
    ],
)
def test_gitops_tools_own_what_they_apply(managers: tuple[str, ...], tool: str | None) -> None:
    told = owner_of(scaled(None, *managers), [])

    assert (told is None) == (tool is None)
    assert (told or "").startswith(tool or "")


def test_an_autoscaler_goes_before_a_controller_and_that_before_a_gitops_tool() -> None:
    controller = Controller("argoproj.io/v1alpha1", "Rollout", "web")
    scaler = scaler_of_hpa(hpa())

    assert (owner_of(scaled(controller, "argocd-controller"), [scaler]) or "").startswith("HorizontalPodAutoscaler")
    assert (owner_of(scaled(controller, "argocd-controller"), []) or "").startswith(
        "Rollout shop/web (argoproj.io/v1alpha1) controls this object"
    )


def test_an_autoscaler_of_another_group_is_no_owner() -> None:
    scalers = Scalers()
    scalers.put(scaler_of_hpa(hpa("a", version="example.com/v1")))
    assert scalers.of(REF) == []
    scalers.put(scaler_of_hpa(hpa("b", version=None)))
    scalers.put(scaler_of_hpa(hpa("c", version="apps/v1beta2")))
    assert [scaler.name for scaler in scalers.of(REF)] == ["b", "c"]


def test_a_full_list_forgets_autoscalers_of_its_kind_and_namespace_alone() -> None:
    scalers = Scalers()
    scalers.put(scaler_of_hpa(hpa("old")))
    scalers.put(scaler_of_scaled_object(hpa("so")))
    assert scalers.replace("HorizontalPodAutoscaler", "other", []) == set()
    touched = scalers.replace("HorizontalPodAutoscaler", "shop", [scaler_of_hpa(hpa("new", target="chat"))])

    assert touched == {("shop", "Deployment", "web"), ("shop", "Deployment", "chat")}
    assert [scaler.kind for scaler in scalers.of(REF)] == ["ScaledObject"]
