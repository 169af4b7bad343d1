"""Which alerts make others needless: they exist, share the labels that are compared, and none makes its cause so."""

import pytest

from alerts.catalogue import alerts
from alerts.inhibition import INHIBITIONS, Inhibition, document

ALERTS = {alert.name: alert for alert in alerts()}
EACH = [pytest.param(each, id=each.cause) for each in INHIBITIONS]


@pytest.mark.parametrize("inhibition", EACH)
def test_every_alert_that_is_named_exists(inhibition: Inhibition) -> None:
    assert {inhibition.cause, *inhibition.follow} - ALERTS.keys() == set()


@pytest.mark.parametrize("inhibition", EACH)
def test_the_labels_that_are_compared_stand_on_both(inhibition: Inhibition) -> None:
    # Alertmanager takes two missing labels for equal: one cause would then silence everything.
    for name in (inhibition.cause, *inhibition.follow):
        assert set(inhibition.equal) <= set(ALERTS[name].labels), name


def test_no_alert_is_made_needless_by_what_it_makes_needless() -> None:
    pairs = {(each.cause, follow) for each in INHIBITIONS for follow in each.follow}
    assert pairs & {(follow, cause) for cause, follow in pairs} == set()


def test_a_rule_is_written_as_alertmanager_reads_it() -> None:
    inhibition = Inhibition("ForesailMaxedOut", ("ForesailMaximumAhead", "ForesailFlapping"), ("cluster", "workload"))
    assert document([inhibition]) == {
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="ForesailMaxedOut"'],
                "target_matchers": ['alertname=~"ForesailMaximumAhead|ForesailFlapping"'],
                "equal": ["cluster", "workload"],
            }
        ]
    }
