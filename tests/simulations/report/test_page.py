"""The page: nothing from elsewhere, nothing unescaped, every workload with its plots and policy."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from simulations.audit.autoscaler import About, Finding
from simulations.audit.document import Report, Spent
from simulations.audit.verdict import Passed, audit
from simulations.report.page import page
from tests.simulations.audit.builders import DAY, START_S, a_step_behind, autoscaler, case

VOID = {"meta", "line", "rect", "br", "wbr"}


class Parsed(HTMLParser):
    """Opens and closes as they come, and every attribute that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.loads += [f"{name}={value}" for name, value in attrs if name in {"src", "href"} and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing() -> None:
    demand = np.full(DAY + 960, 20.0)
    demand[DAY + 480 :] = 60.0
    one = case(demand, paid=np.full(DAY + 960, 5.0), price=0.5, scaled=autoscaler("web<script>"))
    audited, _ = audit([replace(one, findings=(Finding(About.METRIC, "<b>bold</b>"),))], engine=a_step_behind)
    passed = [Passed("shop/<i>", "HPA", "no & samples")]
    report = Report(START_S, "Prometheus at http://x", audited, passed, Spent(12, 1.0, 30.0, 2000))
    text = page(report, {"shop/web<script>": "kind: <WorkloadPolicy>"})

    found = Parsed(text)
    assert found.open == []
    assert "script" not in found.seen
    assert "i" not in found.seen
    assert found.loads == ["href=#w0"]
    # Four plots of the whole span, two of the day on which load was late.
    assert found.seen.count("svg") == 6
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "kind: &lt;WorkloadPolicy&gt;" in text
    assert "12 of 2000 queries" in text
    assert "20.00 USD" in text  # 40 replica-hours


def test_a_page_without_workloads_says_why() -> None:
    report = Report(START_S, "load files", [], [Passed("shop/web", "HPA web", "too short")], Spent())
    text = page(report, {})
    assert "too short" in text
    assert Parsed(text).open == []
