"""The tables of docs/alerts.md."""

import pytest

from alerts.catalogue import alerts
from alerts.table import written

MARKS = "\n".join(
    f"<!-- {name}: rendered by `make generate` -->\nFORMER\n<!-- end of {name} -->"
    for name in ("alerts", "inhibition", "needs")
)


def test_every_alert_has_a_row_with_its_runbook_and_what_people_wrote_stays() -> None:
    text = written(f"# Before\n{MARKS}\nAfter\n")
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter\n")
    assert "FORMER" not in text
    row = "| [ForesailGPUHot](runbooks/foresailgpuhot.md) | warning | 10m | A GPU has been above 85 degrees Celsius"
    assert row in text
    assert all(f"| [{alert.name}](runbooks/{alert.runbook}) | {alert.severity} |" in text for alert in alerts())
    assert "| ForesailGPUThermalThrottling | `DCGM_FI_DEV_THERMAL_VIOLATION` |" in text


def test_writing_twice_changes_nothing_more() -> None:
    once = written(MARKS)
    assert written(once) == once


def test_a_missing_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="must stand there once"):
        written(MARKS.replace("<!-- end of needs -->", ""))
