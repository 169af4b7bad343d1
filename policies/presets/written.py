"""A preset as a policy names it: what it fills in, and what must agree with it."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, StrictStr

from policies.presets.catalogue import PRESETS, preset_named
from policies.problems import Location

BROUGHT = ("kind", "name", "query")  # the fields that a policy need not have beside a preset


def _known(name: str) -> str:
    return preset_named(name).name


PresetName = Annotated[StrictStr, AfterValidator(_known)]


def with_presets(spec: object) -> object:
    """A policy's `spec` with kind, name, query and match of the presets in its signals; what is written stays."""
    if not isinstance(spec, dict) or not isinstance(signals := spec.get("signals"), list):
        return spec
    return {**spec, "signals": [_filled(signal) for signal in signals]}


def preset_agrees(given: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    """Find what contradicts the preset: another kind, a query beside it, readings per pod read as a total."""
    preset = PRESETS.get(str(given.get("preset")))
    if preset is None:
        return
    if given.get("kind") != preset.kind:
        yield ("kind",), f"must be {preset.kind}, the kind of {preset.name}, or left out"
    if isinstance(match := given.get("match"), dict) and given.get("query") != preset.query(sorted(match)):
        yield ("query",), f"stands beside preset {preset.name}, which brings its own; remove one of them"
    if preset.per_pod and preset.kind == "demand" and given.get("capacityFromRequest") is None:
        yield ("capacityPerReplica",), f"{preset.name} is read per pod: use capacityFromRequest"


def _filled(signal: object) -> object:
    if not isinstance(signal, dict) or not isinstance(name := signal.get("preset"), str):
        return signal
    preset = PRESETS.get(name)
    if preset is None:
        kind = "demand" if "capacityPerReplica" in signal else "pressure" if "target" in signal else "late"
        return {"kind": kind, "name": "unknown", "query": "unknown", **signal}
    match = signal.get("match", dict(preset.match))
    labels = sorted(str(label) for label in match) if isinstance(match, dict) else []
    told = {"kind": preset.kind, "name": preset.name.replace("/", "-"), "query": preset.query(labels), "match": match}
    per_pod = {"perPod": True} if preset.per_pod and preset.kind == "pressure" else {}
    return {**told, **per_pod, **signal}
