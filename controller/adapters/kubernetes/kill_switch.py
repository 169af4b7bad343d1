"""The kill switch: a ConfigMap that says so, or a file that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.discovery import CONFIG_MAPS
from controller.adapters.kubernetes.feeds import FeedKey
from controller.adapters.kubernetes.objects import says_stop
from controller.clients.kubernetes import Gone, Put, Replaced, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from controller.clients.kubernetes import Change, JsonObject

NAME = "foresail-kill-switch"
FIELD = "enabled"


@dataclass(frozen=True, slots=True)
class KillSwitchPlace:
    """Where the kill switch is looked for: a ConfigMap (no namespace: nowhere) and a file."""

    namespace: str | None = None
    name: str = NAME
    file: Path | None = None


class KillSwitch:
    """Follows the ConfigMap by a watch of that one object.

    It is off while the ConfigMap is absent; once seen on, it stays on until it is seen off, even when it can no
    longer be read. Whether the watch shows it at all is for the owner of the watches to say.
    """

    def __init__(self, place: KillSwitchPlace) -> None:
        """Off, until it is seen on."""
        self._place = place
        self._on = False

    @property
    def key(self) -> FeedKey | None:
        """The watch that it needs."""
        return FeedKey(CONFIG_MAPS, self._place.namespace) if self._place.namespace else None

    def subject(self) -> Subject[bool]:
        """What to watch."""
        return Subject(
            path=CONFIG_MAPS.path(self._place.namespace),
            decode=_enabled,
            on_change=self._take,
            params={"fieldSelector": f"metadata.name={self._place.name}"},
        )

    def killed(self) -> str | None:
        """Where the switch is on; None when it is off."""
        file = self._place.file
        if file is not None and file.exists():
            return f"the file {file} exists"
        if self._on:
            return f"ConfigMap {self._place.namespace}/{self._place.name} says {FIELD}"
        return None

    def _take(self, change: Change[bool]) -> None:
        match change:
            case Replaced(items):
                self._on = any(items)
            case Put(enabled):
                self._on = enabled
            case Gone():
                self._on = False


def _enabled(item: JsonObject) -> bool:
    return says_stop(item.get("data") or {}, FIELD)
