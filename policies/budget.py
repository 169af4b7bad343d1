"""What a user writes of money and GPUs: a workload's own budget, and the `Budget` of a namespace or of the fleet."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt, StrictStr, ValidationError

from policies.checks import SERVER_SET, Label, Subdomain, duration_within
from policies.freeze import Freeze
from policies.problems import Location, Part, PolicyError, Rule, problems_of
from policies.quantities import DurationS, PositiveQuantity, Price, Quantity

BUDGET_KIND = "Budget"


class WorkloadBudget(Part):
    """The most that a workload's own replicas may take, and what of a replica its pods do not tell."""

    usd_per_hour: Price | None = Field(
        None,
        description="Most that its replicas may cost in an hour, by `objective.prices.replicaHour` and in its currency,"
        " if that is another.",
    )
    gpus: PositiveQuantity | None = Field(None, description="Most GPUs that its replicas may ask for.")
    replica_gpus: Quantity | None = Field(
        None, description="GPUs of one replica; what its pods request (`nvidia.com/gpu`, any `*/gpu`) if absent."
    )


def _caps_something(given: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    """Find a budget that caps nothing."""
    if not any(
        given.get(name) not in (None, [], ()) for name in ("usdPerHour", "gpus", "freeze", "stepDown", "stepUp")
    ):
        yield (), "must have one of usdPerHour, gpus, freeze, stepDown and stepUp, or several"


class StepDown(Part):
    """How many replicas may go in how long a time."""

    replicas: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = Field(description="Most replicas that go.")
    window: Annotated[DurationS, duration_within(60, 86_400)] = Field(
        600.0, description="In any time so long, from 1m to 1d.", json_schema_extra={"default": "10m"}
    )


class StepUp(Part):
    """How many replicas may come in how long a time."""

    replicas: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = Field(description="Most replicas that come.")
    window: Annotated[DurationS, duration_within(60, 86_400)] = Field(
        600.0, description="In any time so long, from 1m to 1d.", json_schema_extra={"default": "10m"}
    )


class BudgetSpec(Part):
    """Whose replicas may take how much, all together."""

    rules: ClassVar[tuple[Rule, ...]] = (_caps_something,)

    namespace: Label | None = Field(None, description="Namespace that it caps; the whole fleet if absent.")
    usd_per_hour: Price | None = Field(
        None,
        description="Most that replicas may cost in an hour, by their policies' `objective.prices.replicaHour` and in"
        " its currency, if that is another.",
    )
    gpus: PositiveQuantity | None = Field(None, description="Most GPUs that replicas may ask for.")
    freeze: tuple[Freeze, ...] = Field(
        (), description="Windows in which Foresail does not lower their counts, or does not change them."
    )
    step_down: StepDown | None = Field(
        None,
        description="Most replicas that go in a time, of all its workloads; the fleet breaker stands too.",
    )
    step_up: StepUp | None = Field(
        None,
        description="Most replicas that come in a time, of all its workloads; the higher `priority` goes first."
        " Minimums in force, the first replica of a workload and counts that people fix come at once, and count.",
    )


class BudgetMetadata(Part):
    """Name of the budget, which belongs to no namespace; what an API server adds besides is accepted and dropped."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET

    name: Subdomain = Field(description="Name of the budget.")
    labels: Mapping[StrictStr, StrictStr] = Field({}, description="Labels, for the reader and for other tools.")
    annotations: Mapping[StrictStr, StrictStr] = Field({}, description="Annotations, for the reader and other tools.")


class Budget(Part):
    """What the replicas of a namespace, or of all policies together, may take. Where several cap the same, all hold."""

    ignored: ClassVar[frozenset[str]] = frozenset({"status"})

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="Version of this document's format.")
    kind: Literal["Budget"] = Field(description="Kind of this document.")
    metadata: BudgetMetadata = Field(description="Name of the budget.")
    spec: BudgetSpec = Field(description="Whom it caps, and at what.")


def caps_of(budget: WorkloadBudget | BudgetSpec | None) -> tuple[float, float]:
    """Its caps by resource, USD per hour and GPUs; infinite where it has none."""
    if budget is None:
        return float("inf"), float("inf")
    return float(budget.usd_per_hour or "inf"), float(budget.gpus or Decimal("inf"))


def budget_from(document: object, *, source: str) -> Budget:
    """Parse one document, as YAML or JSON gives it. Raises PolicyError with every problem of it."""
    try:
        return Budget.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise PolicyError(problems_of(error, source=source, tags=frozenset())) from error


def budget_has_a_price(given: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    """Find a policy's budget of money without the price of a replica."""
    budget, objective = given.get("budget"), given.get("objective")
    prices = objective.get("prices") if isinstance(objective, dict) else None
    if isinstance(budget, dict) and budget.get("usdPerHour") is not None and prices is None:
        yield ("budget", "usdPerHour"), "needs objective.prices.replicaHour, the price of one replica for an hour"
