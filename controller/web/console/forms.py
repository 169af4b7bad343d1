"""What is typed in the forms: read as the API reads a body, kept where it is not taken, and what became of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from controller.interventions import Wanted
from controller.web.acting import OverrideRequest, PauseRequest, ResumeRequest
from controller.web.actions import Act
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from controller.web.actions import Acted

_MOST_REMEMBERED = 100
_LABELS = {"reason": "Reason", "for": "For how long", "replicas": "Replicas"}
_EXPECTED = {
    "reason": "say why, in at most 300 characters",
    "for": "a number and s, m, h or d, such as 30m, and at most 7d",
    "replicas": "a whole number from 0 to 100000",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as somebody has filled it in, and what is wrong with it."""

    act: str
    values: Mapping[str, str]
    errors: tuple[str, ...]

    def value(self, act: str, name: str, otherwise: str = "") -> str:
        """What was typed in a field of an act's form; `otherwise` where nothing was."""
        return self.values.get(name, otherwise) if self.act == act else otherwise


@dataclass(slots=True)
class Done:
    """What forms did, by the id of the intervention: the last hundred, so that the next page can tell it."""

    _acts: OrderedDict[str, Acted] = field(default_factory=OrderedDict)

    def remember(self, acted: Acted) -> str:
        """The name under which it is found again."""
        self._acts[acted.taken.told.id] = acted
        if len(self._acts) > _MOST_REMEMBERED:
            self._acts.popitem(last=False)
        return acted.taken.told.id

    def of(self, name: str) -> Acted | None:
        """What was done under a name."""
        return self._acts.get(name)


def act_of(kind: Literal["pause", "override", "resume"], uid: str, values: Mapping[str, str]) -> Act | tuple[str, ...]:
    """What a form asks for, or everything that is wrong with it."""
    try:
        match kind:
            case "pause":
                pause = PauseRequest.model_validate(_given(values, "reason", "for"))
                return Act(Wanted(kind, uid, pause.reason, parse_duration_s(pause.lasting)))
            case "resume":
                return Act(Wanted(kind, uid, ResumeRequest.model_validate(_given(values, "reason")).reason))
            case "override":
                given: dict[str, object] = {**_given(values, "reason", "for"), "replicas": _count(values)}
                given["beyondBounds"] = "beyondBounds" in values
                asked = OverrideRequest.model_validate(given)
                lasting_s = parse_duration_s(asked.lasting)
                return Act(Wanted(kind, uid, asked.reason, lasting_s, asked.replicas), asked.beyond_bounds)
    except ValidationError as error:
        names = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
        return tuple(f"{_LABELS[name]}: {_EXPECTED[name]}" for name in names)


def _given(values: Mapping[str, str], *names: str) -> dict[str, object]:
    return {name: values.get(name, "").strip() for name in names}


def _count(values: Mapping[str, str]) -> object:
    """A whole number where it is one, else what was typed, which the model refuses."""
    typed = values.get("replicas", "").strip()
    return int(typed) if typed.isdecimal() and typed.isascii() and len(typed) <= len("100000") else typed
