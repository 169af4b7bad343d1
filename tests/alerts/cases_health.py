"""Cases of alerts/health.py."""

import pytest

from tests.alerts.case import CLUSTER, Case

FIRING = [
    Case(
        "ForesailAbsent",
        "20m",
        # The last sample is of minute 2; it counts for 5 minutes, and 5 more pass until the alert fires.
        {'foresail_build_info{version="1"}': "1 1 1"},
        described="No instance of Foresail has been seen for 5 minutes: no workload is scaled by it."
        " First see whether its pod runs, then whether Prometheus scrapes it.",
    ),
    Case(
        "ForesailLoopStalled",
        "20m",
        {
            'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="x"}': "0+60x10 600x20",
            'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="y"}': "0x30",
            'foresail_loop_last_success_timestamp_seconds{cluster="b",pod="x"}': "0+60x30",
        },
        {"cluster": "a"},
        "The last tick ended at 1970-01-01 00:10:00 +0000 UTC (1970: none has since the start), over 300 s ago:"
        " workloads keep the replicas they have. First read the log for the phase that hangs.",
        CLUSTER,
    ),
    Case(
        "ForesailSourceStale",
        "20m",
        {
            'foresail_source_last_sample_timestamp_seconds{cluster="a",source="prometheus"}': "0+60x5 300x20",
            'foresail_source_last_sample_timestamp_seconds{cluster="a",source="other"}': "0+60x30",
        },
        {"cluster": "a", "source": "prometheus"},
        "The newest sample from prometheus was measured at 1970-01-01 00:05:00 +0000 UTC, over 180 s ago: nothing is"
        " lowered, and no rise in load is seen. First query the source by hand.",
        CLUSTER,
    ),
    Case(
        "ForesailActuationFailing",
        "20m",
        {
            'foresail_actuations_total{cluster="a",kind="scale",result="rejected"}': "0+2x30",
            'foresail_actuations_total{cluster="a",kind="scale",result="unavailable"}': "0+1x30",
            'foresail_actuations_total{cluster="a",kind="event",result="applied"}': "0+9x30",
        },
        {"cluster": "a", "kind": "scale"},
        # (2 + 1) each minute, over 10 minutes.
        "About 30 changes of kind scale were rejected or found no API server in 10 minutes. First read the daemon's"
        " log for the message of the API server.",
        CLUSTER,
    ),
    Case(
        "ForesailSafeModeActive",
        "10m",
        {
            'foresail_safe_mode{cluster="a",reason="kill_switch"}': "0 0 1x20",
            'foresail_safe_mode{cluster="a",reason="other"}': "0x20",
        },
        {"cluster": "a", "reason": "kill_switch"},
        "Workloads are held for 5 minutes now: kill_switch (kill_switch: set, or not readable;"
        " cluster_down: the API server is out of sight; no_fresh_data: no reading is fresh)."
        " First see whether somebody meant it.",
        CLUSTER,
    ),
    Case(
        "ForesailJournalFailing",
        "20m",
        {
            'foresail_journal_write_failures_total{cluster="a"}': "0+4x30",
            'foresail_journal_dropped_ticks_total{cluster="a"}': "0x30",
        },
        {"cluster": "a"},
        # 4 each minute, over 5 minutes.
        "About 20 writes failed or ticks were given up in 5 minutes: scaling goes on, but a restart now forgets what"
        " was not written. First look at the database's disk and connection.",
        CLUSTER,
    ),
    Case("ForesailWatchdog", "0m", described="Route it to a service that calls when it stops coming."),
]

SILENT = [
    pytest.param(
        Case("ForesailAbsent", "20m", {'foresail_build_info{version="1"}': "1x30"}),
        id="absent-not-while-it-is-scraped",
    ),
    pytest.param(
        Case(
            "ForesailLoopStalled",
            "20m",
            {
                'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="x"}': "0+60x30",
                'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="y"}': "0x30",
            },
        ),
        id="loop-stalled-not-while-one-instance-ticks",
    ),
    pytest.param(
        Case(
            "ForesailSourceStale",
            "20m",
            {'foresail_source_last_sample_timestamp_seconds{cluster="a",source="prometheus"}': "0+60x30"},
        ),
        id="source-stale-not-while-samples-are-new",
    ),
    pytest.param(
        Case(
            "ForesailActuationFailing",
            "30m",
            {
                'foresail_actuations_total{cluster="a",kind="scale",result="applied"}': "0+3x30",
                'foresail_actuations_total{cluster="a",kind="scale",result="conflict"}': "0+1x30",
                'foresail_actuations_total{cluster="a",kind="scale",result="unavailable"}': "3x30",
            },
        ),
        id="actuation-failing-not-for-conflicts-and-old-failures",
    ),
    pytest.param(
        # The step is in the window from minute 3 to minute 12, which is shorter than the wait.
        Case(
            "ForesailActuationFailing",
            "12m",
            {'foresail_actuations_total{cluster="a",kind="scale",result="unavailable"}': "0 0 0 1x30"},
        ),
        id="actuation-failing-not-for-one-failure",
    ),
    pytest.param(
        Case(
            "ForesailSafeModeActive",
            "10m",
            {'foresail_safe_mode{cluster="a",reason="kill_switch"}': "0 0 1 1 1 1 0x20"},
        ),
        id="safe-mode-not-for-four-minutes",
    ),
    pytest.param(
        Case(
            "ForesailJournalFailing",
            "20m",
            {
                'foresail_journal_write_failures_total{cluster="a"}': "0 0 3x30",
                'foresail_journal_dropped_ticks_total{cluster="a"}': "0x30",
            },
        ),
        id="journal-failing-not-for-one-bad-moment",
    ),
]
