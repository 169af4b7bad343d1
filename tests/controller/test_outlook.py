"""What people are shown of the next week: metrics, the API's document, and sentences."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families as plain

from controller.records import PolicySet, TargetRef, TickReport
from controller.telemetry import About, Telemetry
from controller.web import documents
from policies.forecast.governance import Expert
from policies.forecast.maximum import LEADS_MIN
from policies.forecast.plans import OLDEST_S, Plans
from policies.forecast.rolling import HORIZONS_MIN
from policies.forecast.words import outlook_sentences
from tests.controller.decisions import decided

if TYPE_CHECKING:
    from policies.model import Fleet

AT_S = 1_000.0  # of the tick
HOUR_S, DAY_S = 3600.0, 86_400.0
AN_HOUR, A_DAY = HORIZONS_MIN.index(60), HORIZONS_MIN.index(1440)


def plans_of(fleet: Fleet, made_at_s: float = AT_S) -> Plans:
    """Every lane needs 1 replica at 0.1, 2 at the median and 3 at 0.9 now, and one more of each a day.

    The ridge speaks everywhere but a day ahead, where it is demoted.
    """
    plans = Plans.empty(fleet)
    days = np.array(LEADS_MIN)[:, np.newaxis] / 1440
    plans.replicas[:], plans.low[:] = np.array([2.0, 3.0]) + days, 1.0 + days[:, 0]
    plans.made_at_s[:], plans.said[:], plans.maximum[:] = made_at_s, True, 9
    models = plans.models
    models.fitted_at_s[:], models.charge[:] = made_at_s - HOUR_S, Expert.RIDGE
    models.charge[:, A_DAY], models.demoted[:, Expert.RIDGE, A_DAY] = Expert.SEASONAL, True
    models.coverage[:, Expert.RIDGE], models.coverage[:, Expert.SEASONAL] = 0.94, 0.97
    models.error[:, Expert.RIDGE], models.error[:, Expert.SEASONAL] = 0.125, 0.25
    models.judged[:] = 50
    return plans


def report_of(*uids: str, plans: Plans | None = None, at_s: float = AT_S) -> TickReport:
    made = decided(*uids, load=[20.0] * len(uids))
    return TickReport(
        at_s=at_s,
        policies=PolicySet(()),
        fleet=made.fleet,
        seen=made.seen,
        decision=made.decision,
        targets=(TargetRef("apps/v1", "Deployment", "shop", "chat"),) * len(uids),
        owners={},
        outcomes=(),
        sources=(),
        phases_s={},
        quarantined={},
        problems=(),
        plans=plans_of(made.fleet) if plans is None else plans,
    )


def told(report: TickReport) -> dict[str, float]:
    telemetry = Telemetry(About("1", 0.0, stale_after_s=1e9), lambda: report.at_s)
    telemetry.show(report)
    text, _ = telemetry.render("")
    return {
        ",".join([sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))]): sample.value
        for family in plain(text.decode())
        for sample in family.samples
        if sample.name.startswith("foresail_outlook")
    }


def test_replicas_ahead_are_told_from_now_on_however_long_ago_the_week_was_looked_at() -> None:
    report = report_of("shop/chat", at_s=AT_S + HOUR_S)
    found = {name: value for name, value in told(report).items() if name.startswith("foresail_outlook_replicas,")}
    # An hour went by, so that 5 minutes ahead is 65 minutes from then; beyond a week the last value stands.
    expected = {("5m", 65), ("1h", 120), ("1d", 1500), ("7d", 10_080)}
    for quantile, base in (("0.1", 1.0), ("0.5", 2.0), ("0.9", 3.0)):
        for horizon, minutes in expected:
            name = f"foresail_outlook_replicas,horizon={horizon},namespace=shop,quantile={quantile},workload=chat"
            assert found[name] == pytest.approx(base + minutes / 1440, abs=1e-5)
    assert len(found) == 12


def test_when_the_maximum_is_exceeded_is_told_where_it_is() -> None:
    fleet = decided("shop/a", "shop/b", "shop/c").fleet
    plans = plans_of(fleet)
    plans.above_at_s[:] = [[AT_S + 3 * DAY_S, AT_S + 30 * HOUR_S], [np.inf, AT_S - 60], [np.inf, np.inf]]
    plans.quota[:] = 8, 9, np.inf  # the maximum is 9
    found = told(report_of("shop/a", "shop/b", "shop/c", plans=plans))
    name = "foresail_outlook_above_max_timestamp_seconds,bound={},namespace=shop,quantile={},workload={}"
    assert {key: value for key, value in found.items() if "above_max" in key} == {
        name.format("quota", "0.5", "a"): AT_S + 3 * DAY_S,
        name.format("quota", "0.9", "a"): AT_S + 30 * HOUR_S,
        name.format("maximum", "0.9", "b"): AT_S,  # by now
    }


def test_the_models_are_counted_with_their_figures() -> None:
    found = told(report_of("shop/a", "shop/b"))
    assert found["foresail_outlook_oldest_fit_timestamp_seconds"] == AT_S - HOUR_S
    assert found["foresail_outlook_models,horizon=1h,model=ridge"] == 2
    assert found["foresail_outlook_models,horizon=1d,model=seasonal"] == 2
    assert found["foresail_outlook_models,horizon=1d,model=none"] == 0
    assert found["foresail_outlook_demoted_models,horizon=1d,model=ridge"] == 2
    assert found["foresail_outlook_demoted_models,horizon=1h,model=ridge"] == 0
    assert found["foresail_outlook_coverage_ratio,horizon=1h"] == pytest.approx(0.94)
    assert found["foresail_outlook_coverage_ratio,horizon=1d"] == pytest.approx(0.97)
    assert found["foresail_outlook_error_ratio,horizon=1d"] == 0.25


def test_nothing_is_told_that_is_not_known_or_too_old() -> None:
    nothing = {"foresail_outlook_oldest_fit_timestamp_seconds": 0.0}
    fleet = decided("shop/chat").fleet
    assert told(replace(report_of("shop/chat"), plans=None)) == nothing
    for plans, at_s in ((Plans.empty(fleet), AT_S), (plans_of(fleet), AT_S + OLDEST_S + 1)):
        report = report_of("shop/chat", plans=plans, at_s=at_s)
        found = told(report)
        assert {name for name, value in found.items() if value} == set()
        assert not any("workload=" in name for name in found)
        assert documents.workload(report, 0)["outlook"] is None
        assert outlook_sentences(plans, 0, at_s) == ()


def test_the_document_of_a_workload_says_what_is_ahead_and_who_says_so() -> None:
    report = report_of("shop/chat")
    assert report.plans is not None
    report.plans.above_at_s[0] = [np.inf, AT_S + DAY_S]
    document = documents.workload(report, 0)
    found = json.loads(json.dumps(document["outlook"]))
    assert [each["ahead"] for each in found["replicas"]] == ["5m", "1h", "1d", "7d"]
    assert (found["replicas"][2]["p50"], found["replicas"][2]["p90"]) == (3.0, 4.0)
    assert found["aboveMaximum"] == {
        "p50": {"at": None, "maximum": 9, "bound": "maximum"},
        "p90": {"at": "1970-01-02T00:16:40.000Z", "maximum": 9, "bound": "maximum"},
    }
    assert found["quota"] is None
    [signal] = found["models"]
    assert (signal["signal"], signal["fittedAt"]) == ("rps", "1969-12-31T23:16:40.000Z")
    hour, day = signal["horizons"][AN_HOUR], signal["horizons"][A_DAY]
    assert (hour["ahead"], hour["inCharge"]) == ("1h", "ridge")
    assert hour["models"]["ridge"] == {"errorRatio": 0.125, "coverage95": 0.94, "judgedOn": 50.0, "demoted": False}
    assert (day["inCharge"], day["models"]["ridge"]["demoted"]) == ("seasonal", True)
    assert document["explanation"][-2:] == list(outlook_sentences(report.plans, 0, AT_S))


def test_the_document_says_what_the_quota_allows_and_that_it_is_the_bound() -> None:
    report = report_of("shop/chat")
    assert report.plans is not None
    report.plans.quota[0], report.plans.maximum[0] = 4, (9, 3)
    found = documents.workload(report, 0)["outlook"]
    assert found is not None
    assert found["quota"] == 4
    assert [each["bound"] for each in found["aboveMaximum"].values()] == ["quota", "maximum"]


@pytest.mark.parametrize(
    ("median_s", "expected"),
    [
        pytest.param(
            3 * DAY_S, "It will need more than its quota allows (8) in about 3 days (p90: 3 days).", id="it-will"
        ),
        pytest.param(
            np.inf,
            "It is not expected to need more than its quota allows (8) within a week, but may in about 3 days (p90).",
            id="it-may",
        ),
    ],
)
def test_the_quota_is_named_where_it_allows_less_than_the_maximum(median_s: float, expected: str) -> None:
    plans = plans_of(decided("shop/chat").fleet)
    plans.above_at_s[0], plans.quota[0] = (AT_S + median_s, AT_S + 3 * DAY_S), 8
    assert outlook_sentences(plans, 0, AT_S)[1] == expected


@pytest.mark.parametrize(
    ("median_s", "high_s", "expected"),
    [
        pytest.param(
            3 * DAY_S,
            30 * HOUR_S,
            "It will need more than its maximum of 9 in about 3 days (p90: 30 h).",
            id="both",
        ),
        pytest.param(
            np.inf,
            90 * 60,
            "It is not expected to need more than its maximum of 9 within a week, but may in about 90 min (p90).",
            id="a-tenths-chance",
        ),
        pytest.param(
            np.inf, np.inf, "It is not expected to need more than its maximum of 9 within a week.", id="neither"
        ),
    ],
)
def test_sentences(median_s: float, high_s: float, expected: str) -> None:
    plans = plans_of(decided("shop/chat").fleet)
    plans.above_at_s[0] = AT_S + median_s, AT_S + high_s
    first, second = outlook_sentences(plans, 0, AT_S)
    assert first == (
        "Demand is expected to need 2.0 replicas in an hour (p90: 3.0), 3.0 replicas in a day (p90: 4.0),"
        " 9.0 replicas in a week (p90: 10.0)."
    )
    assert second == expected
