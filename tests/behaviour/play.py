"""Plays a script: does what its lines say when it is time, and looks after each tick whether expectations are met."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.records import PastSeries
from controller.web.holds import hold_name
from policies.codes import word_of
from policies.explain import signal_sentences
from policies.model import RULES, Limits, Status
from policies.quantities import duration_text, parse_duration_s, parse_share
from simulations.cluster import Faults, Workload
from tests.behaviour.script import Between, Line
from tests.behaviour.stage import Stage
from tests.rig import START_S, ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.journal import Journal
    from policies.spec import WorkloadPolicy

TICK_S, DAY_S, MINUTE_S = 15.0, 86_400.0, 60.0
MIDNIGHT_S = START_S - START_S % DAY_S + DAY_S
CAPACITY, SERVING_LIMIT = 10, 0.8  # of a replica, in the policies of the rig
COUNTED = ("changes", "rises", "falls", "writes")


@dataclass(slots=True)
class Setup:
    """What a script says before its beginning."""

    policies: list[WorkloadPolicy] = field(default_factory=list)
    replicas: dict[str, int] = field(default_factory=dict)
    daily: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)  # hours and load, by workload
    past_s: float = 0.0
    removal_ratio: float = 1.0
    gpus: int | None = None
    startup_s: float = 30.0
    start_s: float = START_S

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Setup:
        """Raises ScriptError for a line that says none of it."""
        setup = cls()
        for line in lines:
            try:
                setup.take(*line.words)
            except (ValueError, KeyError, TypeError) as error:
                raise line.wrong(f"cannot be set up: {error}") from error
        return setup

    def take(self, verb: str, *words: str) -> None:
        match verb, words:
            case "workload", (name, *rest):
                self._workload(name, dict(zip(rest[::2], rest[1::2], strict=True)))
            case "daily", (name, *rest):
                hours = [parse_duration_s(each) for each in rest[::2]]
                self.daily[name] = hours, [float(each) for each in rest[1::2]]
            case "past", (length,):
                self.past_s = parse_duration_s(length)
            case "begin", (since_midnight,):
                self.start_s = MIDNIGHT_S + parse_duration_s(since_midnight)
            case "breaker", (ratio,):
                self.removal_ratio = parse_share(ratio)
            case "quota", (gpus, "gpus"):
                self.gpus = int(gpus)
            case "startup", (length,):
                self.startup_s = parse_duration_s(length)
            case _:
                raise ValueError("says nothing that is known")

    def _workload(self, name: str, given: dict[str, str]) -> None:
        spec: dict[str, object] = {}
        self.replicas[name] = int(given.pop("replicas"))
        spec["replicas"] = {"min": int(given.pop("min", "1")), "max": int(given.pop("max", "100"))}
        if "priority" in given:
            spec["priority"] = int(given.pop("priority"))
        if "event" in given:  # after the beginning, as in 30m*3
            after, _, factor = given.pop("event").partition("*")
            at_s = self.start_s + parse_duration_s(after)
            at = str(np.datetime64(int(at_s), "s")) + "Z"
            spec["forecast"] = {"events": [{"name": "event", "at": at, "duration": "1h", "factor": int(factor)}]}
        if given:
            raise ValueError(f"nobody knows {', '.join(given)}")
        self.policies.append(policy(name, **spec))

    def stage(self, journal: Journal | None) -> Stage:
        """The world at its beginning."""
        stage = Stage(
            ListedPolicies(self.policies),
            self.replicas,
            journal,
            Limits(removal_ratio=self.removal_ratio),
            self.startup_s,
            self.start_s,
        )
        stage.front.gpus = self.gpus
        if self.past_s:
            at_s = np.arange(self.start_s - self.past_s, self.start_s, MINUTE_S)
            stage.source.past_series = [
                PastSeries((name,), at_s.tolist(), _by_day(at_s, *shape).tolist()) for name, shape in self.daily.items()
            ]
        return stage


def _by_day(at_s: np.ndarray, since_midnight_s: list[float], load: list[float]) -> np.ndarray:
    """Load by the time of day, in straight lines; a little unrest, as no load is quite the same each day."""
    day = np.floor(at_s / DAY_S)
    unrest = 1 + 0.02 * np.sin(at_s / 97.0) + 0.03 * np.sin(7.0 * day)
    return np.interp(at_s % DAY_S, since_midnight_s, load, period=DAY_S) * unrest


@dataclass(slots=True)
class Play:
    """A script on its stage. `counts` are of each workload since the beginning."""

    stage: Stage
    setup: Setup
    lines: Sequence[Line]
    load: dict[str, float] = field(default_factory=dict)
    ramps: list[tuple[Line, str, float, float]] = field(default_factory=list)
    silent: bool = False  # Prometheus does not answer
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    before: dict[Line, Counter[str]] = field(default_factory=dict)  # counts when a range began
    elapsed_s: float = 0.0

    @classmethod
    def of(cls, lines: Sequence[Line], journal: Journal | None = None) -> Play:
        """The world as a script sets it up."""
        setup = Setup.of([line for line in lines if line.first_s < 0])
        timed = [line for line in lines if line.first_s >= 0]
        play = cls(setup.stage(journal), setup, timed)
        play.counts = {name: Counter() for name in setup.replicas}
        return play

    async def run(self) -> None:
        """From the beginning to the last time named. Raises ScriptError for the first line that is not met."""
        end_s = max(line.last_s for line in self.lines)
        try:
            for tick in range(int(end_s // TICK_S) + 1):
                self.elapsed_s = tick * TICK_S
                await self._once()
        finally:
            self.stage.stop()

    async def _once(self) -> None:
        """What happens now, a tick, and a look at what came of it."""
        for line in self.lines:
            if line.verb != "expect" and self.elapsed_s - TICK_S < line.first_s <= self.elapsed_s:
                self._do(line)
        await self._tick()
        for line in self.lines:
            if line.verb == "expect" and line.first_s <= self.elapsed_s <= line.last_s:
                self._look(line)
        self.stage.time.advance(TICK_S)

    async def _tick(self) -> None:
        """One tick, and what it changed."""
        now_s = np.array([self.stage.time.now_s()])
        self.load |= {name: float(_by_day(now_s, *shape)[0]) for name, shape in self.setup.daily.items()}
        for line, name, first, last in self.ramps:
            share = (self.elapsed_s - line.first_s) / (line.last_s - line.first_s)
            if 0 <= share <= 1:
                self.load[name] = first + share * (last - first)
        self.stage.source.load = None if self.silent else dict(self.load)
        for line in self.lines:
            if line.verb == "expect" and line not in self.before and self.elapsed_s >= line.first_s:
                self.before[line] = Counter(self.counts.get(line.words[1], ()))
        was = {name: self._wanted(name) for name in self.counts}
        tried = self.stage.front.tried
        await self.stage.loop.tick()
        for name, count in self.counts.items():
            now = self._wanted(name)
            count.update(changes=now != was[name], rises=now > was[name], falls=now < was[name])
            count.update(writes=self.stage.front.tried - tried)

    def _do(self, line: Line) -> None:
        try:
            self._change(line)
        except (ValueError, KeyError) as error:
            raise line.wrong(f"cannot be done: {error}") from error

    def _change(self, line: Line) -> None:
        """One line that changes the world."""
        stage = self.stage
        match line.words:
            case "load", name, value:
                self.load[name] = float(value)
            case "load", name, first, "to", last:
                self.ramps.append((line, name, float(first), float(last)))
            case "fault", *what:
                self._fault(*what)
            case ("mended",):
                self.silent = False
                stage.source.age_s = 1.0
                stage.cluster.inject(Faults())
                stage.front.throttled, stage.front.kept = False, None
            case ("restart",):
                stage.restart()
            case "clock", shift:
                stage.clock.off_s += math.copysign(parse_duration_s(shift[1:]), float(f"{shift[0]}1"))
            case "owner", name, *owner:
                self._put(name, owner=" ".join(owner) if owner != ["none"] else None)
            case "scale", name, replicas:
                self._put(name, replicas=int(replicas))
            case "roll", name:
                stage.cluster.roll(Rig.ref(name))
            case _:
                raise ValueError("says nothing that is known")

    def _fault(self, *what: str) -> None:
        """Something fails until it is mended."""
        stage = self.stage
        match what:
            case "prometheus", "down":
                self.silent = True
            case "prometheus", "old", age:
                stage.source.age_s = parse_duration_s(age)
            case "api", "down":
                stage.cluster.inject(Faults(unavailable=True))
            case "api", "throttled":
                stage.front.throttled = True
            case "watches", "still":
                stage.front.kept = stage.front.view()
            case "room", pods:
                stage.cluster.inject(Faults(room=int(pods)))
            case _:
                raise ValueError("nobody knows this fault")

    def _put(self, name: str, **changed: object) -> None:
        """Somebody else changes a workload."""
        kept = Workload(Rig.ref(name), self._wanted(name))
        self.stage.cluster.change(replace(kept, **changed))  # type: ignore[arg-type]  # by the two calls above

    def _look(self, line: Line) -> None:
        """Raise ScriptError where an expectation is not met."""
        try:
            _, name, *said = line.words
            what, wanted = said if len(said) > 1 else ("replicas", said[0])
            if what in COUNTED:
                if self.elapsed_s + TICK_S <= line.last_s:
                    return
                found: object = self.counts[name][what] - self.before[line][what]
            else:
                found = self._seen(name, what)
            met = found == wanted if isinstance(found, str) else found in Between.parse(wanted)  # type: ignore[operator]
        except (ValueError, KeyError) as error:
            raise line.wrong(f"cannot be expected: {error}") from error
        if not met:
            raise line.wrong(f"{duration_text(self.elapsed_s)}: {what} of {name}: {found}\n{self._told(name)}")

    def _seen(self, name: str, what: str) -> int | str:
        """What is now: a number or a word. Raises KeyError for what nobody knows."""
        report, ready = self.stage.reports[-1], self.stage.cluster.ready(Rig.ref(name))
        lane = report.fleet.uid.index(f"shop/{name}")
        first = int(np.searchsorted(report.fleet.tracks.lane, lane))
        need = math.ceil(self.load[name] / (CAPACITY * SERVING_LIMIT))
        known: dict[str, int | str] = {
            "replicas": self._wanted(name),
            "ready": ready,
            "short": max(0, need - ready),  # replicas that the load needs and that are not ready
            "spare": self._wanted(name) - need,
            "why": RULES[report.decision.replicas.reason[lane]],
            "data": word_of(Status, int(report.decision.readings.status[first])),
            "hold": hold_name(report, lane) or "none",
        }
        return known[what]

    def _wanted(self, name: str) -> int:
        """The replicas that the cluster holds."""
        return self.stage.cluster.wanted(Rig.ref(name))

    def _told(self, name: str) -> str:
        """What a workload was and saw at the last tick."""
        report = self.stage.reports[-1]
        lane = report.fleet.uid.index(f"shop/{name}")
        have = f"{self._wanted(name)} replicas, {self._seen(name, 'ready')} ready, load {self.load[name]:g}"
        why, hold = self._seen(name, "why"), self._seen(name, "hold")
        saw = " ".join(signal_sentences(report.fleet, report.decision, lane))
        return f"  it has {have}; {why}, hold {hold}. {saw}"
