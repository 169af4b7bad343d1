"""The CustomResourceDefinition of PrometheusRule, as far as publishing meets it, for a real API server.

Group, version, names, and the fields of groups and rules are those of monitoring.coreos.com/v1; groups are a list keyed
by name there, so that managers can own them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubernetes.aio.client import ApiException

from tests.integration.servers.kube_client import Document, request
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from tests.integration.servers.kubernetes import KubeApi

GROUP, VERSION = "monitoring.coreos.com", "v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

_TEXT: Document = {"type": "string"}
_TEXTS: Document = {"type": "object", "additionalProperties": _TEXT}
_RULE: Document = {
    "type": "object",
    "required": ["expr"],
    "properties": {
        "alert": _TEXT,
        "record": _TEXT,
        "expr": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
        "for": {
            "type": "string",
            "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?"
            r"(([0-9]+)s)?(([0-9]+)ms)?)$",
        },
        "keep_firing_for": _TEXT,
        "labels": _TEXTS,
        "annotations": _TEXTS,
    },
}
_GROUP: Document = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "interval": _TEXT,
        "limit": {"type": "integer"},
        "labels": _TEXTS,
        "rules": {"type": "array", "items": _RULE},
    },
}
_SPEC: Document = {
    "type": "object",
    "properties": {
        "groups": {
            "type": "array",
            "items": _GROUP,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        }
    },
}


async def install_prometheus_rules(kube_api: KubeApi) -> None:
    """Make the server know PrometheusRules, and wait until it serves them."""
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": _SPEC}}
    version = {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "PrometheusRule", "listKind": "PrometheusRuleList", "plural": "prometheusrules"}
    body = {
        "metadata": {"name": f"prometheusrules.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "singular": "prometheusrule"},
            "versions": [version],
        },
    }
    async with kube_api.client() as api:
        try:
            await request(api, "POST", DEFINITIONS, body)
        except ApiException as error:
            if error.status != 409:  # a test before this one has installed it
                raise

        async def served() -> bool:
            try:
                await request(api, "GET", f"/apis/{GROUP}/{VERSION}/namespaces/default/prometheusrules")
            except ApiException:
                return False
            return True

        await eventually_async(served)
