"""The metrics of what is told of the next week; for people, no decision uses them."""

from policies.metric import Gauge

_WORKLOAD = ("namespace", "workload")

OUTLOOK = Gauge(
    "foresail_outlook_replicas",
    "Demand expected a horizon ahead, in replicas loaded to the serving limit; for people, not for decisions.",
    (*_WORKLOAD, "horizon", "quantile"),
)
OUTLOOK_ABOVE_MAX = Gauge(
    "foresail_outlook_above_max_timestamp_seconds",
    "When demand will need more than the policy's maximum or the namespace's quota allows, at the quantile; `bound`"
    " says which of the two is lower: maximum, quota. Absent when not within a week.",
    (*_WORKLOAD, "quantile", "bound"),
    "seconds",
)
OUTLOOK_OLDEST_FIT = Gauge(
    "foresail_outlook_oldest_fit_timestamp_seconds",
    "When the oldest fit was made that what is told of the next week rests on; 0 while nothing is told.",
    unit="seconds",
)
OUTLOOK_MODELS = Gauge(
    "foresail_outlook_models",
    "Demand signals by the model that speaks for them a horizon ahead: ridge, seasonal, none.",
    ("model", "horizon"),
)
OUTLOOK_DEMOTED = Gauge(
    "foresail_outlook_demoted_models",
    "Demand signals for which a model may not speak now, because its coverage or error left its range.",
    ("model", "horizon"),
)
OUTLOOK_COVERAGE = Gauge(
    "foresail_outlook_coverage_ratio",
    "Share of loads at or below the 0.95 quantile in the newest part of the backtest, models in charge, mean.",
    ("horizon",),
    "ratio",
)
OUTLOOK_ERROR = Gauge(
    "foresail_outlook_error_ratio",
    "Pinball loss over the mean load, summed over the quantiles 0.5, 0.9, 0.95 and 0.99; models in charge, mean.",
    ("horizon",),
    "ratio",
)

BY_WORKLOAD = (OUTLOOK, OUTLOOK_ABOVE_MAX)
OF_FLEET = (OUTLOOK_OLDEST_FIT, OUTLOOK_MODELS, OUTLOOK_DEMOTED, OUTLOOK_COVERAGE, OUTLOOK_ERROR)
