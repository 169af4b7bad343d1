"""The CustomResourceDefinitions of the vertical autoscaler, as far as a recommender meets them, for a real API server.

Field names, types, enumerations, required fields and subresources are those of autoscaling.k8s.io/v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubernetes.aio.client import ApiException

from tests.integration.servers.kube_client import Document, request
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from tests.integration.servers.kubernetes import KubeApi

GROUP, VERSION = "autoscaling.k8s.io", "v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

_TEXT: Document = {"type": "string"}
_TIME: Document = {"type": "string", "format": "date-time", "nullable": True}
_QUANTITY: Document = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$",
    "x-kubernetes-int-or-string": True,
}
_AMOUNTS: Document = {"type": "object", "additionalProperties": _QUANTITY}


def _object(required: tuple[str, ...] = (), **fields: Document) -> Document:
    made: Document = {"type": "object", "properties": fields}
    return made | ({"required": list(required)} if required else {})


def _list(of: Document) -> Document:
    return {"type": "array", "items": of}


def _one_of(*values: str) -> Document:
    return {"type": "string", "enum": list(values)}


_SPEC = _object(
    ("targetRef",),
    targetRef=_object(("kind", "name"), apiVersion=_TEXT, kind=_TEXT, name=_TEXT),
    recommenders=_list(_object(("name",), name=_TEXT)),
    updatePolicy=_object(
        updateMode=_one_of("Off", "Initial", "Recreate", "InPlaceOrRecreate", "Auto"), minReplicas={"type": "integer"}
    ),
    resourcePolicy=_object(
        containerPolicies=_list(
            _object(
                containerName=_TEXT,
                mode=_one_of("Auto", "Off"),
                controlledResources=_list(_TEXT),
                controlledValues=_one_of("RequestsAndLimits", "RequestsOnly"),
                minAllowed=_AMOUNTS,
                maxAllowed=_AMOUNTS,
            )
        )
    ),
)
_STATUS = _object(
    recommendation=_object(
        containerRecommendations=_list(
            _object(
                ("target",),
                containerName=_TEXT,
                target=_AMOUNTS,
                lowerBound=_AMOUNTS,
                upperBound=_AMOUNTS,
                uncappedTarget=_AMOUNTS,
            )
        )
    ),
    conditions=_list(
        _object(("type", "status"), type=_TEXT, status=_TEXT, reason=_TEXT, message=_TEXT, lastTransitionTime=_TIME)
    ),
)
_HISTOGRAM = _object(
    bucketWeights={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    referenceTimestamp=_TIME,
    totalWeight={"type": "number"},
)
_CHECKPOINT = {
    "spec": _object(vpaObjectName=_TEXT, containerName=_TEXT),
    "status": _object(
        cpuHistogram=_HISTOGRAM,
        memoryHistogram=_HISTOGRAM,
        firstSampleStart=_TIME,
        lastSampleStart=_TIME,
        lastUpdateTime=_TIME,
        totalSamplesCount={"type": "integer"},
        version=_TEXT,
    ),
}


async def install(kube_api: KubeApi) -> None:
    """Define both kinds, and wait until the API server has them."""
    async with kube_api.client() as api:
        for document in (
            _definition("VerticalPodAutoscaler", {"spec": _SPEC, "status": _STATUS}, status=True),
            _definition("VerticalPodAutoscalerCheckpoint", _CHECKPOINT, status=False),
        ):
            try:
                await request(api, "POST", DEFINITIONS, document)
            except ApiException as error:
                if error.status != 409:  # it is there from an earlier test
                    raise

        async def served() -> object:
            try:
                listed = await request(api, "GET", f"/apis/{GROUP}/{VERSION}")
            except ApiException:
                return None
            return len(listed["resources"]) >= 3 or None

        await eventually_async(served, 20, what="the vertical autoscaler's kinds are served")


def autoscaler(name: str, target: str = "web", **spec: object) -> Document:
    """A VerticalPodAutoscaler of a Deployment that names Foresail."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "recommenders": [{"name": "foresail"}],
            **spec,
        },
    }


def path(namespace: str, plural: str = "verticalpodautoscalers") -> str:
    """The collection of a kind in a namespace."""
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"


def _definition(kind: str, fields: Document, *, status: bool) -> Document:
    plural = f"{kind.lower()}s"
    own: Document = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": {"type": "object"}}
    version: Document = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {**own, **fields}}},
    }
    if status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/63797"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }
