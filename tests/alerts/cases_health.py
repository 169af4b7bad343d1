"""Cases of alerts/health.py."""

import pytest

from tests.alerts.case import CLUSTER, Case

LAST_TICK = "foresail_loop_last_success_timestamp_seconds"
COVERAGE = "foresail_outlook_coverage_ratio"
OLDEST_FIT = "foresail_outlook_oldest_fit_timestamp_seconds"

FIRING = [
    Case(
        "ForesailNoActor",
        "30m",
        {
            # 600 s is what both instances have said last; 20 minutes later that is 1200 s ago.
            f'{LAST_TICK}{{cluster="a",pod="x"}}': "0+60x10 600x5",
            f'{LAST_TICK}{{cluster="a",pod="y"}}': "0x30",
            f'{LAST_TICK}{{cluster="b",pod="x"}}': "0+60x40",
        },
        {"cluster": "a"},
        "The last tick ended 20m 0s ago (years: none has since the start): workloads keep the replicas they have."
        " First see whether its pod runs and is scraped, then read its log for the phase that hangs.",
        CLUSTER,
    ),
    Case(
        "ForesailNoActor",
        "20m",
        # Nothing of the daemon at all: it was never scraped.
        {'up{job="other"}': "1x30"},
        described="Prometheus sees no instance of Foresail: workloads keep the replicas they have."
        " First see whether its pod runs and is scraped, then read its log for the phase that hangs.",
        dashboard="?var-cluster=",
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
        " cluster_down: the API server is out of sight; no_fresh_data: no reading is fresh; paused_by_operator: a"
        " pause of all). First see whether somebody meant it.",
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
        "About 20 writes failed or ticks were given up in 5 minutes: rises go on and falls wait, and a restart now"
        " forgets what was not written. First look at the database's disk and connection.",
        CLUSTER,
    ),
    Case(
        "ForesailSourceQueriesFailing",
        "30m",
        {
            'foresail_source_queries_total{cluster="a",source="prometheus",result="failure"}': "0+1x40",
            'foresail_source_queries_total{cluster="a",source="prometheus",result="success"}': "0+3x40",
        },
        {"cluster": "a", "source": "prometheus"},
        "25% of the queries of prometheus failed over 10 minutes: the workloads that need them are held."
        " First read `problems` in /api/v1/health for what it answers.",
        CLUSTER,
    ),
    Case(
        "ForesailLoopSlow",
        "40m",
        {
            # All ticks lie between 15 and 30 s; the 99th percentile is put at 15 + 0.99 * 15 s.
            'foresail_loop_duration_seconds_bucket{cluster="a",phase="tick",le="15"}': "0x50",
            'foresail_loop_duration_seconds_bucket{cluster="a",phase="tick",le="30"}': "0+2x50",
            'foresail_loop_duration_seconds_bucket{cluster="a",phase="tick",le="+Inf"}': "0+2x50",
        },
        {"cluster": "a"},
        "One tick in a hundred takes 29.85s or more; with the usual interval of 15 s decisions begin to come late."
        " First see on the dashboard which phase it is.",
        CLUSTER,
    ),
    Case(
        "ForesailUnhandledErrors",
        "30m",
        {'foresail_unhandled_errors_total{cluster="a"}': "0x10 60x30"},
        {"cluster": "a"},
        # One step of 60, stretched from the 30 minutes that are known to those and half a minute more on both sides.
        "About 60 faults in the last hour were caught by nothing but the supervisor. First keep the log: the stack"
        " traces in it are what a report needs.",
        CLUSTER,
    ),
    Case(
        "ForesailWorkloadsQuarantined",
        "20m",
        {'foresail_quarantined_workloads{cluster="a"}': "2x30"},
        {"cluster": "a"},
        "2 workloads are held for ten minutes at a time, as deciding on them failed; the others go on."
        " First see `foresail status` for which, and what failed.",
        CLUSTER,
    ),
    Case(
        "ForesailPolicyRefused",
        "20m",
        {
            'foresail_policies{cluster="a",state="invalid"}': "1x30",
            'foresail_policies{cluster="a",state="valid"}': "9x30",
        },
        {"cluster": "a"},
        "1 problems were found in the policies."
        " First read them with `foresail policy validate`, or under `problems` in /api/v1/health.",
        CLUSTER,
    ),
    Case(
        "ForesailPublishFailing",
        "90m",
        {
            'foresail_publish_last_success_timestamp_seconds{cluster="a",target="grafana"}': "600x100",
            'foresail_publish_last_success_timestamp_seconds{cluster="a",target="rule_files"}': "0+60x100",
        },
        {"cluster": "a", "target": "grafana"},
        # 90 minutes are 5400 s, less 600.
        "grafana was last brought up to date 1h 20m 0s ago (years: never since the start)."
        " First see `foresail_publish_writes_total` for how its writes end.",
        CLUSTER,
    ),
    Case(
        "ForesailMessagesLost",
        "40m",
        {
            'foresail_webhook_messages_total{cluster="a",result="rejected"}': "0+1x50",
            'foresail_webhook_messages_total{cluster="a",result="dropped"}': "0+1x50",
            'foresail_webhook_messages_total{cluster="a",result="delivered"}': "0+7x50",
        },
        {"cluster": "a"},
        # Two each minute, over 15 minutes.
        "About 30 messages in 15 minutes never reached the receiver of the webhook."
        " First see in the log what it answers.",
        CLUSTER,
    ),
    Case(
        "ForesailForecastBandMiscalibrated",
        "370m",
        {
            f'{COVERAGE}{{cluster="a",horizon="1d"}}': "0.75x400",
            f'{COVERAGE}{{cluster="a",horizon="1h"}}': "0.93x400",
            f'{OLDEST_FIT}{{cluster="a"}}': "60x400",
        },
        {"cluster": "a", "horizon": "1d"},
        "1d ahead, the share of loads at or below the 0.95 quantile is 20% away from 95 %."
        " First see on the dashboard since when; no decision rests on it.",
        CLUSTER,
    ),
    Case(
        "ForesailForecastStale",
        "4400m",
        {f'{OLDEST_FIT}{{cluster="a"}}': "600x4500"},
        {"cluster": "a"},
        # 264,000 s less 600 s are 3 d 1 h 10 min.
        "The oldest fit was made 3d 1h 10m 0s ago; workloads should be fitted anew each day. First see in the log"
        " whether the worker process ends or runs out of memory.",
        CLUSTER,
    ),
    Case("ForesailWatchdog", "0m", described="Route it to a service that calls when it stops coming."),
]

SILENT = [
    pytest.param(
        Case("ForesailForecastStale", "4400m", {f'{OLDEST_FIT}{{cluster="a"}}': "0x4500"}),
        id="forecast-stale-not-while-nothing-is-told",
    ),
    pytest.param(
        Case(
            "ForesailNoActor",
            "30m",
            {f'{LAST_TICK}{{cluster="a",pod="x"}}': "0+60x40", f'{LAST_TICK}{{cluster="a",pod="y"}}': "0x40"},
        ),
        id="no-actor-not-while-one-instance-ticks",
    ),
    pytest.param(
        Case(
            "ForesailNoActor",
            "400m",
            {f'{LAST_TICK}{{cluster="old"}}': "0+60x10", f'{LAST_TICK}{{cluster="a"}}': "0+60x400"},
        ),
        id="no-actor-not-for-a-cluster-that-is-gone-for-six-hours",
    ),
    pytest.param(
        Case("ForesailNoActor", "25m", {f'{LAST_TICK}{{cluster="a"}}': "0+60x10 600x6 1020+60x20"}),
        id="no-actor-not-for-a-restart-of-six-minutes",
    ),
    pytest.param(
        Case(
            "ForesailSourceQueriesFailing",
            "30m",
            {
                'foresail_source_queries_total{cluster="a",source="prometheus",result="failure"}': "0+1x40",
                'foresail_source_queries_total{cluster="a",source="prometheus",result="success"}': "0+9x40",
            },
        ),
        id="source-queries-not-for-one-in-ten",
    ),
    pytest.param(
        Case(
            "ForesailLoopSlow",
            "40m",
            {
                'foresail_loop_duration_seconds_bucket{cluster="a",phase="tick",le="1"}': "0+4x50",
                'foresail_loop_duration_seconds_bucket{cluster="a",phase="tick",le="30"}': "0+4x50",
                'foresail_loop_duration_seconds_bucket{cluster="a",phase="tick",le="+Inf"}': "0+4x50",
            },
        ),
        id="loop-slow-not-where-ticks-take-a-second",
    ),
    pytest.param(
        Case("ForesailUnhandledErrors", "90m", {'foresail_unhandled_errors_total{cluster="a"}': "0 0 1x100"}),
        id="unhandled-errors-not-for-one-that-is-over-an-hour-old",
    ),
    pytest.param(
        Case("ForesailWorkloadsQuarantined", "20m", {'foresail_quarantined_workloads{cluster="a"}': "0x30"}),
        id="quarantined-not-where-there-are-none",
    ),
    pytest.param(
        Case(
            "ForesailPolicyRefused",
            "20m",
            {
                'foresail_policies{cluster="a",state="invalid"}': "0 0 1 1 0x20",
                'foresail_policies{cluster="a",state="valid"}': "9x30",
            },
        ),
        id="policy-refused-not-for-a-mistake-that-is-mended-at-once",
    ),
    pytest.param(
        Case(
            "ForesailPublishFailing",
            "90m",
            {'foresail_publish_last_success_timestamp_seconds{cluster="a",target="grafana"}': "600x30 2400x90"},
        ),
        id="publish-failing-not-for-50-minutes",
    ),
    pytest.param(
        Case(
            "ForesailMessagesLost", "40m", {'foresail_webhook_messages_total{cluster="a",result="delivered"}': "0+7x50"}
        ),
        id="messages-lost-not-while-they-are-delivered",
    ),
    pytest.param(
        Case(
            "ForesailForecastBandMiscalibrated",
            "370m",
            # Nothing is told of the next week: there is no fit.
            {f'{COVERAGE}{{cluster="a",horizon="1d"}}': "0x400", f'{OLDEST_FIT}{{cluster="a"}}': "0x400"},
        ),
        id="band-not-while-nothing-is-told",
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
