"""What a case of an alert is: samples, and what the alert says or does not say of them."""

from dataclasses import dataclass, field

CLUSTER = "?var-cluster=a"
CHAT = 'cluster="a",namespace="shop",workload="chat"'


@dataclass(frozen=True, slots=True)
class Case:
    """Samples and evaluations `each` time from 0, and what the alert says `at`; silent without `described`."""

    alert: str
    at: str
    series: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    described: str = ""
    dashboard: str = ""
    each: str = "1m"
