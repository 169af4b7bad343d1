"""Scenario, the document of a what-if: its fields, what they mean, and every problem of it at once."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StrictStr, ValidationError, WithJsonSchema

from policies.checks import Count, duration_within, share_up_to
from policies.problems import Location, Part, PolicyError, Rule, nearest, problems_of
from policies.quantities import DurationS, Moment, Price, Share, duration_text, parse_duration_s, parse_share
from policies.spec import Schedule
from simulations.contenders import ContenderError, parse_contender
from simulations.whatif.capacity import Capacity, Faults, Resources
from simulations.whatif.loads import After, Change, Factor, Load
from simulations.whatif.rules import Found, Name, Positive, Whole, entries_of, names_of, one_of, unique

API_VERSION = "foresail.dev/v1alpha1"
KIND = "Scenario"

_HOUR_S, _DAY_S = 3_600.0, 86_400.0
_MONDAY_S = 1_767_571_200.0  # 2026-01-05T00:00:00Z
_ROUNDING = 1e-6
_MOST_STEPS = 6_000_000  # of a run: eleven years of minutes
_WEEK_DAYS = 7.0
_AIMING = frozenset({"reactive", "predictive"})
_NEEDS = {
    "on-demand": ("on-demand",),
    "spot": ("spot",),
    "share": ("spot", "on-demand"),
    "skyserve": ("spot", "on-demand"),
    "foresail": ("spot", "on-demand"),
}


class Startup(Part):
    """One way in which replicas start."""

    share: Annotated[Share, share_up_to(1)] = Field(description="Share of starts that go this way; they add up to 1.")
    time: After = Field(description="Time from the order until the replica serves.")


class Batch(Part):
    """One batch size of an inference server."""

    size: Count = Field(description="Requests in a batch.")
    latency: Positive = Field(description="Seconds that such a batch takes.")


class Overload(Part):
    """What happens to load that cannot be served at once."""

    patience: After = Field(
        0.0,
        description="Requests wait up to so long and then give up; 0s: they give up at once.",
        json_schema_extra={"default": "0s"},
    )
    retry: Annotated[Share, share_up_to(0.95)] | None = Field(
        None, description="Share of those that give up which comes again in the next step; none if absent."
    )


def _startup_adds_up(given: Mapping[str, object]) -> Found:
    """Find ways of starting whose shares are not a whole."""
    try:
        total = sum(parse_share(each.get("share")) for each in entries_of(given, "startup"))
    except ValueError:  # told where it is parsed
        return
    if given.get("startup") and abs(total - 1) > _ROUNDING:
        yield ("startup",), f"has shares that add up to {total:g}; they must add up to 1"


def _batches_have_a_limit(given: Mapping[str, object]) -> Found:
    """Find latencies without the limit that they are held to."""
    if (given.get("batches") is None) != (given.get("latencyLimit") is None):
        yield ("latencyLimit",), "goes with batches, and batches with it: give both or neither"


class Replica(Part):
    """What one replica serves, how it starts, and how many there may be."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("capacity", "batches"), _startup_adds_up, _batches_have_a_limit)

    capacity: Positive | None = Field(None, description="Load that one replica serves at 100 %, in the load's unit.")
    batches: tuple[Batch, ...] | None = Field(
        None,
        description="Latency by batch size, in place of `capacity`: 100 % is the largest size / latency, and"
        " `servingLimit` the share of it that is reached within `latencyLimit`.",
    )
    latency_limit: Positive | None = Field(
        None, description="Seconds within which a batch must be done; with `batches`."
    )
    serving_limit: Annotated[Share, share_up_to(1)] = Field(
        0.8, description="Share of capacity up to which a replica serves in time."
    )
    startup: Annotated[tuple[Startup, ...], Field(min_length=1)] = Field(
        description="Ways in which replicas start, such as on warm and on cold nodes; each start draws its own."
    )
    resources: Resources | None = Field(None, description="What a replica requests; for pools with `instance`.")
    overload: Overload | None = Field(
        None,
        description="Backlog and retries. If absent, what is above the serving limit is unserved, as in backtests.",
    )
    min: Count = Field(1, description="Fewest replicas.")
    max: Count = Field(10_000_000, description="Most replicas.", json_schema_extra={"default": None})


class Workload(Part):
    """One workload: its load, and what serves it."""

    name: Name = Field(description="Name of the workload, unique.")
    load: Load = Field(description="Where its load comes from.")
    changes: tuple[Change, ...] = Field((), description="What happens to the load.")
    replica: Replica = Field(description="What serves it.")
    late_price: Price | None = Field(
        None, description="Price of one late request, for loads in requests per second; nothing if absent."
    )


def _replica_rule(text: str) -> str:
    kind, _, count = text.partition(":")
    if text == "schedule" or (kind == "fixed" and (count == "peak" or (count.isdecimal() and int(count) > 0))):
        return text
    try:
        parse_contender(text)
    except ContenderError as error:
        raise ValueError(
            f"must be fixed:COUNT, fixed:peak, schedule, hpa:TARGET, kpa, predictive or reactive, not {text!r}"
            f"{nearest(text, ('fixed:peak', 'schedule', 'hpa:0.70', 'kpa', 'predictive', 'reactive'))}"
        ) from error
    return text


ReplicaRule = Annotated[StrictStr, AfterValidator(_replica_rule), WithJsonSchema({"type": "string", "format": "rule"})]


class Aim(Part):
    """How late requests may be."""

    late: Annotated[Share, share_up_to(0.5)] = Field(
        0.01,
        description="Share of requests that may be late: of `predictive`, `reactive` and the mix `foresail`, half each"
        " where both aim at it.",
    )


class Engine(Part):
    """An inference engine that is faster or quantised: multipliers of the present one."""

    capacity: Positive = Field(1.0, description="Multiplies what a replica serves.")
    startup: Factor = Field(1.0, description="Multiplies start-up times.")
    resources: Positive = Field(1.0, description="Multiplies what a replica requests, and so its price.")


class Policy(Part):
    """One side of the comparison."""

    name: Name = Field(description="Name of the policy, unique.")
    replicas: ReplicaRule = Field(
        description="How many replicas: `fixed:COUNT`, `fixed:peak` (what the largest load of the run needs),"
        " `schedule` (the fewest that the windows allow), `hpa:0.70`, `kpa`, `reactive` or `predictive`."
    )
    objective: Aim = Field(Aim(), description="How late requests may be.")
    schedule: tuple[Schedule, ...] = Field((), description="Windows with other bounds; they bind every rule.")
    mix: Literal["on-demand", "spot", "share", "skyserve", "foresail"] = Field(
        "on-demand",
        description="On which capacity: `on-demand` alone, `spot` alone, `share` (a fixed share of on-demand),"
        " `skyserve` (spot, and on-demand for what spot has not ready), `foresail` (the hedger that Foresail runs).",
    )
    on_demand_share: Annotated[Share, share_up_to(1)] = Field(0.3, description="Of the mix `share`.")
    base: Whole = Field(0, description="Replicas that are always on demand, of the mix `skyserve`.")
    spare: Whole = Field(0, description="Spot replicas more than needed, of the mix `skyserve`.")
    spread: Literal["even", "cheapest"] = Field(
        "even", description="Over the pools of one type: evenly, or the cheapest first."
    )
    pools: tuple[Name, ...] | None = Field(None, description="Pools it may use; all if absent.")
    commitments: tuple[Name, ...] | None = Field(None, description="Commitments it holds; all if absent.")
    right_size: Positive = Field(
        1.0, description="Multiplies what a replica requests, and so its price, without changing what it serves."
    )
    engine: Engine = Field(Engine(), description="Another engine.")

    @property
    def late_each(self) -> float:
        """What of the objective each of those that aim at it may spend: the rule of the replicas, and the hedger."""
        aiming = (self.replicas in _AIMING) + (self.mix == "foresail")
        return self.objective.late / max(aiming, 1)


def _incumbent_is_there(given: Mapping[str, object]) -> Found:
    """Find an incumbent that is no policy."""
    incumbent, names = given.get("incumbent"), names_of(given, "policies")
    if isinstance(incumbent, str) and incumbent not in names:
        yield ("incumbent",), f"must name a policy, not {incumbent!r}{nearest(incumbent, names)}"


def _names_are_known(given: Mapping[str, object]) -> Found:
    """Find policies and commitments that speak of what is not there."""
    capacity = given.get("capacity")
    if not isinstance(capacity, dict):
        return
    known = {field: names_of(capacity, field) for field in ("pools", "commitments")}
    for index, commitment in enumerate(entries_of(capacity, "commitments")):
        yield from _unknown(commitment.get("pool"), known["pools"], "pools", ("capacity", "commitments", index, "pool"))
    for index, policy in enumerate(entries_of(given, "policies")):
        for field, names in known.items():
            chosen = policy.get(field)
            for place, name in enumerate(chosen if isinstance(chosen, list | tuple) else ()):
                yield from _unknown(name, names, field, ("policies", index, field, place))


def _unknown(name: object, names: Sequence[str], field: str, at: Location) -> Found:
    if isinstance(name, str) and name not in names:
        has = f"; there is {', '.join(names)}" if names else "; there is none"
        yield at, f"must be one of capacity.{field}, not {name!r}{has}"


def _mixes_have_pools(given: Mapping[str, object]) -> Found:
    """Find policies whose mix has no pool to run on."""
    capacity = given.get("capacity")
    pools = entries_of(capacity, "pools") if isinstance(capacity, dict) else []
    for index, policy in enumerate(entries_of(given, "policies")):
        chosen, mix = policy.get("pools"), policy.get("mix", "on-demand")
        used = [pool for pool in pools if not isinstance(chosen, list | tuple) or pool.get("name") in chosen]
        types = {pool.get("type", "on-demand") for pool in used}
        for needed in _NEEDS.get(str(mix), ()):
            if used and needed not in types:
                yield ("policies", index, "mix"), f"{mix} needs {needed} pools; add one to the pools of the policy"


def _lost_zone_is_there(given: Mapping[str, object]) -> Found:
    """Find a lost zone in which there is no pool."""
    capacity, faults = given.get("capacity"), given.get("faults")
    lost = faults.get("zoneLost") if isinstance(faults, dict) else None
    zone = lost.get("zone") if isinstance(lost, dict) else None
    if isinstance(zone, str) and isinstance(capacity, dict):
        zones = [str(pool.get("zone", pool.get("name"))) for pool in entries_of(capacity, "pools")]
        if zone not in zones:
            yield ("faults", "zoneLost", "zone"), f"must be the zone of a pool, not {zone!r}{nearest(zone, zones)}"


def _steps_fit(given: Mapping[str, object]) -> Found:
    """Find steps that do not fill an hour, and decisions that do not fill a step."""
    try:
        step, sync = (parse_duration_s(given.get(name, usual)) for name, usual in (("step", "1m"), ("sync", "15s")))
    except ValueError:  # told where it is parsed
        return
    if step > 0 and _HOUR_S % step:
        yield ("step",), f"must divide an hour, as bills are by the hour: {duration_text(step)} does not"
    if 0 < sync < step and step % sync:
        yield ("sync",), f"must divide step ({duration_text(step)}), not {duration_text(sync)}"


def _steps_fit_into_memory(given: Mapping[str, object]) -> Found:
    """Find runs of more steps than a machine holds: each takes some hundred bytes."""
    try:
        step, warmup = (parse_duration_s(given.get(name, usual)) for name, usual in (("step", "1m"), ("warmup", "0s")))
        steps = (float(str(given.get("days", _WEEK_DAYS))) * _DAY_S + warmup) / step
    except (ValueError, ZeroDivisionError):  # told where it is parsed
        return
    if steps > _MOST_STEPS:
        made = f"and warmup make {steps:,.0f} steps of {duration_text(step)}"
        most = f"write at most {(_MOST_STEPS * step - warmup) / _DAY_S:,.0f} days, or a longer step"
        yield ("days",), f"{made}, and at most {_MOST_STEPS:,} fit into memory; {most}"


class Scenario(Part):
    """Policies side by side under one load, one capacity and one kind of luck."""

    rules: ClassVar[tuple[Rule, ...]] = (
        unique("workloads"),
        unique("policies"),
        _incumbent_is_there,
        _names_are_known,
        _mixes_have_pools,
        _lost_zone_is_there,
        _steps_fit,
        _steps_fit_into_memory,
    )

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="Version of this document's format.")
    kind: Literal["Scenario"] = Field(description="Kind of this document.")
    name: Name = Field(description="Name of the scenario.")
    description: StrictStr = Field("", description="What is asked, in a sentence.")
    currency: Annotated[StrictStr, Field(min_length=1, max_length=8)] = Field(
        "USD", description="Currency of all prices."
    )
    seed: Whole = Field(0, description="Seed of everything that is drawn; the same seed gives the same answer.")
    runs: Count = Field(20, description="Monte Carlo runs; every policy has the same luck in a run.")
    step: Annotated[DurationS, duration_within(10, 3600)] = Field(
        60.0, description="Length of a step.", json_schema_extra={"default": "1m"}
    )
    sync: Annotated[DurationS, duration_within(1, 3600)] = Field(
        15.0, description="Time between decisions of `hpa`; divides the step.", json_schema_extra={"default": "15s"}
    )
    metric_delay: After = Field(
        60.0, description="Age of the load that a decision sees.", json_schema_extra={"default": "1m"}
    )
    start: Moment | None = Field(
        None, description="First step of generated loads, 2026-01-05T00:00:00Z (a Monday) if absent."
    )
    days: Positive = Field(_WEEK_DAYS, description="Days that are scored.")
    warmup: After = Field(
        0.0, description="Time before them that only warms policies up.", json_schema_extra={"default": "0s"}
    )
    workloads: Annotated[tuple[Workload, ...], Field(min_length=1)] = Field(description="What is served.")
    policies: Annotated[tuple[Policy, ...], Field(min_length=1)] = Field(description="What is compared.")
    incumbent: Name | None = Field(
        None, description="Name of the policy that the others are compared with; the first if absent."
    )
    capacity: Capacity = Field(description="What can be had, and at which price.")
    faults: Faults = Field(Faults(), description="What goes wrong with capacity.")

    @property
    def steps(self) -> int:
        """Steps of a run, warm-up included."""
        return self.warmup_steps + round(self.days * _DAY_S / self.step)

    @property
    def warmup_steps(self) -> int:
        """Steps that are not scored."""
        return round(self.warmup / self.step)

    @property
    def start_s(self) -> float:
        """Wall time of the first step of generated loads."""
        return _MONDAY_S if self.start is None else self.start

    @property
    def incumbent_index(self) -> int:
        """Place of the incumbent among the policies."""
        names = [policy.name for policy in self.policies]
        return 0 if self.incumbent is None else names.index(self.incumbent)

    def document(self) -> dict[str, object]:
        """Return plain YAML or JSON values that parse to an equal scenario; fields at their default are left out."""
        written = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {"apiVersion": API_VERSION, "kind": KIND, **written}


def scenario_from(document: object, *, source: str) -> Scenario:
    """Parse one document, as YAML or JSON gives it.

    Raises:
        PolicyError: with every problem of the document.
    """
    try:
        return Scenario.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise PolicyError(problems_of(error, source=source, tags=frozenset())) from error
