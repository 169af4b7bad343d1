"""The containers of what is watched, as lanes and as containers of pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.vertical.records import ContainerSeen, Watched

PodContainer = tuple[str, str, str]  # namespace, container, pod


class Lane(NamedTuple):
    """A container of what is watched: by an autoscaler or by a policy alone."""

    of_autoscaler: bool
    watched: str
    container: str


def lanes_of(watched: Watched) -> list[Lane]:
    """The lanes of the containers of what is watched."""
    return [Lane(watched.autoscaler is not None, watched.key, name) for name in watched.containers]


def members(watched: Watched) -> Iterator[tuple[Lane, PodContainer, ContainerSeen]]:
    """Every container of every pod, with its lane."""
    of_autoscaler, key, namespace = watched.autoscaler is not None, watched.key, watched.namespace
    for pod in watched.pods:
        for container in pod.containers:
            yield Lane(of_autoscaler, key, container.name), (namespace, container.name, pod.name), container
