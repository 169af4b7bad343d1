"""What a pod takes of its namespace's ResourceQuotas."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from policies.quantities import milli, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.clients.kubernetes import JsonObject
    from controller.records import Charge

_SHARED = 1 << 14  # distinct charges that are kept once: one for each template of pods
_SAID_BY_ALL = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")  # else a quota of them refuses a pod

_Asked = tuple[tuple[str, str], ...]  # quantities by resource, named as in a ResourceQuota
_Container = tuple[_Asked, bool]  # and whether it runs beside the others, where it is an init container
_Amounts = dict[str, int | None]  # in thousandths; None where nobody knows


def charge_of(spec: JsonObject) -> Charge:
    """What a pod with this `spec` takes of a quota, sorted by resource; None for what a container does not say.

    As Kubernetes counts it: what its containers ask for together, or the most while its init containers run where that
    is more; what the pod itself asks for instead; and its runtime's overhead.
    """
    overhead = spec.get("overhead")
    return _charge(
        _containers(spec.get("containers")),
        _containers(spec.get("initContainers")),
        _asked(spec.get("resources")),
        _asked({"requests": overhead, "limits": overhead} if overhead else None),
    )


def milli_or_none(quantity: str) -> int | None:
    """A quantity in thousandths; None where nobody can say, as beyond what int64 holds."""
    try:
        return milli(parse_quantity(quantity))
    except ValueError:
        return None


def _containers(given: Iterable[JsonObject] | None) -> tuple[_Container, ...]:
    return tuple([(_asked(each.get("resources")), each.get("restartPolicy") == "Always") for each in given or ()])


def _asked(resources: Mapping[str, Mapping[str, object] | None] | None) -> _Asked:
    if not resources:
        return ()
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    asked = [(f"requests.{name}", str(quantity)) for name, quantity in requests.items()]
    return (*asked, *((f"limits.{name}", str(quantity)) for name, quantity in limits.items()))


@lru_cache(maxsize=_SHARED)
def _charge(
    containers: tuple[_Container, ...], init_containers: tuple[_Container, ...], own: _Asked, overhead: _Asked
) -> Charge:
    pod, more = _amounts(own), _amounts(overhead)
    running = [_amounts(asked) for asked, _ in containers]
    first = [(_amounts(asked), beside) for asked, beside in init_containers]
    every = [*running, *(asked for asked, _ in first)]
    charge: _Amounts = {"pods": 1000}
    for name in {*_SAID_BY_ALL, *(name for asked in (pod, *every) for name in asked)}:
        missing = None if name in _SAID_BY_ALL else 0
        if name in pod:
            amount = pod[name]
        elif any(asked.get(name, missing) is None for asked in every):
            amount = None
        else:
            amount = _together(name, running, first)
        over = more.get(name, 0)
        charge[name] = None if amount is None or over is None else amount + over
    return tuple(sorted(charge.items()))


def _together(name: str, running: Iterable[_Amounts], first: Iterable[tuple[_Amounts, bool]]) -> int:
    """The most that is asked for at one time, from the first init container to the containers."""
    beside = most = 0
    for asked, stays in first:
        value = asked.get(name) or 0
        most = max(most, beside + value)
        beside += value if stays else 0
    return max(most, beside + sum(asked.get(name) or 0 for asked in running))


def _amounts(asked: _Asked) -> _Amounts:
    return {name: milli_or_none(quantity) for name, quantity in asked}
