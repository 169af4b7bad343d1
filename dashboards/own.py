"""The dashboard "Foresail itself": whether Foresail is well, and what ails it."""

from __future__ import annotations

from functools import partial

from dashboards import links, shared
from dashboards.board import Board, Details, Drawn, shown
from dashboards.panels import Bounds, Columns, Link, Means, Query, Sheet, lines, rows
from dashboards.queries import age, chosen, increase, largest, quantile
from dashboards.told import PUBLISHED, TOLD
from policies import signals
from policies.resources import exported as sized

_INVALID = 'state="invalid"'
_FAILED = 'result="failure"'
_WINDOW = "5m"


_FIGURES = (
    shown(
        Sheet(
            1,
            "Last tick",
            "How long ago a tick last came to its end, of the instance that ticked last. Workloads keep their replicas"
            " while it hangs.",
            "s",
            (Query(f"min ({age(signals.LOOP_LAST_SUCCESS, 'cluster')})", ""),),
            runbooks=("ForesailNoActor",),
            span=3,
        ),
        Bounds(60, 300),
    ),
    shown(
        Sheet(
            2,
            "Safe mode",
            "Reasons for which workloads are held as a whole.",
            "short",
            (Query(f"sum ({largest(signals.SAFE_MODE, 'cluster', 'reason')})", ""),),
            runbooks=("ForesailSafeModeActive",),
            span=3,
        ),
        Bounds(1, 1),
    ),
    shown(
        Sheet(
            3,
            "Quarantined",
            "Workloads held because their own decision failed.",
            "short",
            (Query(f"sum ({largest(signals.QUARANTINED, 'cluster')})", ""),),
            span=3,
            links=(Link("Fleet", links.dashboard(links.FLEET)),),
        ),
        Bounds(1, 3),
    ),
    shown(
        Sheet(
            4,
            "Policies refused",
            "Problems of policies that are not in force; their last good version is.",
            "short",
            (Query(f"sum ({largest(signals.POLICIES, 'cluster', only=_INVALID)})", ""),),
            span=3,
            links=(Link("Fleet", links.dashboard(links.FLEET)),),
        ),
        Bounds(1, 1),
    ),
    shown(
        Sheet(
            5,
            "Queries failed",
            "Share of the queries asked of sources in the last 5 minutes that failed.",
            "percentunit",
            (
                Query(
                    f"{increase(signals.SOURCE_QUERIES, _WINDOW, only=_FAILED)}"
                    f" / ({increase(signals.SOURCE_QUERIES, _WINDOW)} > 0)",
                    "",
                ),
            ),
            runbooks=("ForesailSourceStale",),
            span=3,
        ),
        Bounds(0.01, 0.2),
    ),
    shown(
        Sheet(
            6,
            "Changes failed",
            "Changes that were rejected or found no API server in the last 5 minutes.",
            "short",
            (Query(increase(signals.ACTUATIONS, _WINDOW, only='result=~"rejected|unavailable"'), ""),),
            runbooks=("ForesailActuationFailing",),
            span=3,
        ),
        Bounds(1, 5),
    ),
    shown(
        Sheet(
            7,
            "Journal waits",
            "Ticks that wait to be written. Nothing stops for them, but a restart forgets what was not written.",
            "short",
            (Query(f"max ({largest(signals.JOURNAL_PENDING, 'cluster')})", ""),),
            runbooks=("ForesailJournalFailing",),
            span=3,
        ),
        Bounds(4, 20),
    ),
    shown(
        Sheet(
            8,
            "Faults",
            "Faults in the last hour that nothing but the loop's supervisor caught.",
            "short",
            (Query(increase(signals.UNHANDLED_ERRORS, "1h"), ""),),
            span=3,
            runbooks=("ForesailUnhandledErrors",),
        ),
        Bounds(1, 3),
    ),
)
_LOOP = Drawn(
    Sheet(
        id=9,
        title="Loop duration by phase",
        description="99th percentile of how long each phase of a tick takes. `tick` is the whole, and must stay below"
        " the loop's period, 15 s unless set.",
        unit="s",
        queries=(Query(quantile(signals.LOOP_DURATION, 0.99, "phase"), "{{phase}}"),),
    ),
    lines,
)
_LOOP_AGE = Drawn(
    Sheet(
        id=10,
        title="Time since the last tick",
        description="How long ago a tick last came to its end. It grows while the loop hangs; workloads keep their"
        " replicas meanwhile.",
        unit="s",
        queries=(Query(age(signals.LOOP_LAST_SUCCESS, "cluster"), "last tick {{cluster}}"),),
        runbooks=("ForesailNoActor",),
    ),
    lines,
)
_ACTORS = Drawn(
    Sheet(
        id=23,
        title="Instances that decide",
        description="Instances whose last tick is less than 5 minutes old, by cluster. There is to be one: at 0 nobody"
        " decides, and several are not coordinated.",
        unit="short",
        queries=(
            Query(
                f"sum by (cluster) (time() - {chosen(signals.LOOP_LAST_SUCCESS)} <= bool 300)", "deciding {{cluster}}"
            ),
            Query("vector(1)", "to be", Means.LIMIT),
        ),
        height=6,
        runbooks=("ForesailNoActor",),
    ),
    partial(lines, stepped=True),
)
_FRESHNESS = Drawn(
    Sheet(
        id=11,
        title="Source freshness",
        description="Age of the newest sample that each source served. Old samples never lower a workload.",
        unit="s",
        queries=(Query(age(signals.SOURCE_LAST_SAMPLE, "cluster", "source"), "{{cluster}} {{source}}"),),
        runbooks=("ForesailSourceStale",),
    ),
    lines,
)
_QUERIES = Drawn(
    Sheet(
        id=12,
        title="Queries of sources",
        description="Queries in the last 5 minutes by result, of each source.",
        unit="short",
        queries=(Query(increase(signals.SOURCE_QUERIES, _WINDOW, "source", "result"), "{{source}} {{result}}"),),
    ),
    lines,
)
_ACTUATIONS = Drawn(
    Sheet(
        id=13,
        title="Changes by result",
        description="Changes carried out or tried in the last 5 minutes, by kind and result; conflicts were given up,"
        " because somebody else had changed the object.",
        unit="short",
        queries=(
            Query(increase(signals.ACTUATIONS, _WINDOW, "kind", "result"), "{{kind}} {{result}}"),
            Query(increase(signals.CONFLICTS, _WINDOW), "conflicts", Means.BAD),
        ),
        runbooks=("ForesailActuationFailing",),
    ),
    lines,
)
_DECISIONS = Drawn(
    Sheet(
        id=14,
        title="Decisions",
        description="Decisions on one workload in one tick, in the last 5 minutes, by what they do.",
        unit="short",
        queries=(Query(increase(signals.DECISIONS, _WINDOW, "action"), "{{action}}"),),
    ),
    lines,
)
_ANSWERS = Drawn(
    Sheet(
        id=16,
        title="How long sources take",
        description="99th percentile of how long a source took to answer all queries of a tick.",
        unit="s",
        queries=(Query(quantile(signals.SOURCE_QUERY_DURATION, 0.99, "source"), "{{source}}"),),
    ),
    lines,
)
_JOURNAL = Drawn(
    Sheet(
        id=17,
        title="Journal",
        description="Ticks that wait to be written, and in the last 5 minutes writes refused and ticks given up. A"
        " journal that is down stops no scaling, but a restart forgets what was not written.",
        unit="short",
        queries=(
            Query(largest(signals.JOURNAL_PENDING, "cluster"), "waiting {{cluster}}"),
            Query(increase(signals.JOURNAL_WRITE_FAILURES, _WINDOW), "refused", Means.BAD),
            Query(increase(signals.JOURNAL_DROPPED, _WINDOW), "given up"),
        ),
        runbooks=("ForesailJournalFailing",),
    ),
    lines,
)
_JOURNAL_AGE = Drawn(
    Sheet(
        id=18,
        title="Time since the journal was written",
        description="How long ago the journal was last written, by cluster.",
        unit="s",
        queries=(Query(age(signals.JOURNAL_LAST_WRITE, "cluster"), "last write {{cluster}}"),),
    ),
    lines,
)
_BREAKER = Drawn(
    Sheet(
        id=19,
        title="Replicas that the fleet breaker lets go",
        description="How many replicas may still go in the present window; at 0, falls wait.",
        unit="short",
        queries=(Query(largest(signals.REMOVAL_BUDGET, "cluster"), "left {{cluster}}"),),
    ),
    partial(lines, stepped=True),
)
_POLICIES = Drawn(
    Sheet(
        id=20,
        title="Policies in force, problems, bad reloads",
        description="Policies in force (valid), problems of those that were refused (invalid), and readings in the last"
        " hour that found a problem.",
        unit="short",
        queries=(
            Query(largest(signals.POLICIES, "cluster", "state"), "{{cluster}} {{state}}"),
            Query(increase(signals.POLICY_RELOAD_FAILURES, "1h"), "bad reloads", Means.BAD),
        ),
    ),
    partial(lines, stepped=True),
)
_SIZING = Drawn(
    Sheet(
        id=21,
        title="Sizing: writes and checkpoints",
        description="Statuses of VerticalPodAutoscalers that name Foresail, written in the last 5 minutes by result,"
        " and checkpoints.",
        unit="short",
        queries=(
            Query(increase(sized.WRITES, _WINDOW, "result"), "{{result}}"),
            Query(increase(sized.CHECKPOINTS, _WINDOW), "checkpoints"),
        ),
    ),
    lines,
)
_RUNNING = Drawn(
    Sheet(
        id=22,
        title="What runs",
        description="Version, Python, and the digest of settings and policies in force, of each instance.",
        unit="short",
        queries=(
            Query(largest(signals.BUILD, "cluster", "version", "python"), ""),
            Query(f"time() - {largest(signals.STARTED, 'cluster')}", "Runs for"),
            Query(largest(signals.CONFIG_HASH, "cluster", "hash"), ""),
        ),
        height=6,
    ),
    partial(
        rows,
        columns=Columns(
            labels={"cluster": "Cluster", "version": "Version", "python": "Python", "hash": "Digest"},
            units={"Runs for": "s"},
            worst_first="Runs for",
        ),
    ),
)

BOARD = Board(
    uid=links.SELF,
    title="Foresail itself",
    description="Whether Foresail is well: its loop, what it reads, what it writes.",
    first=(
        *_FIGURES,
        shared.placed(shared.SAFE_MODE, 15),
        _RUNNING,
        _LOOP,
        _LOOP_AGE,
        _ACTORS,
        _FRESHNESS,
        _QUERIES,
        _ACTUATIONS,
        _DECISIONS,
    ),
    details=(
        Details(101, "Sources and journal", (_ANSWERS, _JOURNAL, _JOURNAL_AGE)),
        Details(102, "Policies, breaker and sizing", (_POLICIES, _BREAKER, _SIZING)),
        Details(103, "Published, told and asked", (*PUBLISHED, *TOLD)),
    ),
)
