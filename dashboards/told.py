"""What Foresail publishes and tells others, and what people asked of it: panels of the dashboard "Foresail itself"."""

from __future__ import annotations

from functools import partial

from dashboards.board import Drawn
from dashboards.panels import Query, Sheet, lines
from dashboards.queries import age, increase, largest
from policies import signals

_WINDOW = "5m"

PUBLISHED = (
    Drawn(
        Sheet(
            id=24,
            title="Time since all was published",
            description="How long ago each target of dashboards or rules was last found or brought to be as rendered,"
            " but for what a person changed.",
            unit="s",
            queries=(Query(age(signals.PUBLISH_LAST_SUCCESS, "cluster", "target"), "{{cluster}} {{target}}"),),
            no_value="nothing is published",
        ),
        lines,
    ),
    Drawn(
        Sheet(
            id=25,
            title="Published by result",
            description="Dashboards and rules compared with their targets in the last hour, by what became of them;"
            " kept is what a person changed.",
            unit="short",
            queries=(Query(increase(signals.PUBLISH_WRITES, "1h", "target", "result"), "{{target}} {{result}}"),),
            no_value="nothing is published",
        ),
        lines,
    ),
)
TOLD = (
    Drawn(
        Sheet(
            id=26,
            title="Webhook: waiting, delivered, dropped, rejected",
            description="Messages that wait for the receiver, and how messages ended in the last 5 minutes. Dropped are"
            " the oldest when too many wait.",
            unit="short",
            queries=(
                Query(largest(signals.MESSAGES_PENDING, "cluster"), "waiting {{cluster}}"),
                Query(increase(signals.MESSAGES, _WINDOW, "result"), "{{result}}"),
            ),
        ),
        lines,
    ),
    Drawn(
        Sheet(
            id=27,
            title="Clients of events",
            description="Clients that listen to /api/v1/events now, and those lost in the last 5 minutes: too slow, or"
            " refused because there were too many.",
            unit="short",
            queries=(
                Query(largest(signals.EVENT_CLIENTS, "cluster"), "listening {{cluster}}"),
                Query(increase(signals.EVENT_CLIENTS_LOST, _WINDOW, "reason"), "lost: {{reason}}"),
            ),
        ),
        partial(lines, stepped=True),
    ),
    Drawn(
        Sheet(
            id=28,
            title="What people asked for",
            description="Pauses, resumes and overrides asked for through the API in the last hour, done or refused.",
            unit="short",
            queries=(Query(increase(signals.OPERATOR_ACTIONS, "1h", "kind", "result"), "{{kind}} {{result}}"),),
        ),
        lines,
    ),
    Drawn(
        Sheet(
            id=29,
            title="Pauses and overrides in force: time left",
            description="How long pauses and overrides of the chosen workloads, told through the API, still hold; a"
            " pause of all has no workload.",
            unit="s",
            queries=(
                Query(
                    f"{largest(signals.INTERVENTION_UNTIL, 'cluster', 'namespace', 'workload', 'kind')} - time()",
                    "{{namespace}}/{{workload}} {{kind}}",
                ),
            ),
            no_value="none in force",
        ),
        lines,
    ),
)
