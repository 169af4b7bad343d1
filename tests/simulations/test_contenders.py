"""Policies by name."""

import pytest

from simulations.contenders import Contender, ContenderError, Daemon, Hpa, Kpa, parse_contender


@pytest.mark.parametrize(
    ("text", "contender"),
    [
        ("predictive", Daemon("predictive")),
        ("reactive", Daemon("reactive", forecast=False)),
        ("kpa", Kpa("kpa", 0.7)),
        ("kpa:0.5", Kpa("kpa:0.5", 0.5)),
        ("hpa:0.70", Hpa("hpa:0.70", 0.7, 0.1, 300.0)),
        ("hpa:0.7,tolerance=0.05,window=60s", Hpa("hpa:0.7,tolerance=0.05,window=60s", 0.7, 0.05, 60.0)),
        ("hpa:1,window=10m", Hpa("hpa:1,window=10m", 1.0, 0.1, 600.0)),
    ],
)
def test_a_name_is_a_policy(text: str, contender: Contender) -> None:
    assert parse_contender(text) == contender


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is neither predictive"),
        ("hpa", "is neither predictive"),
        ("hpa:0", "above 0 and up to 1"),
        ("hpa:70%", "is neither predictive"),
        ("kpa:2", "above 0 and up to 1"),
        ("../hpa:0.7", "is neither predictive"),
        ("hpa:0.7,speed=3", "speed: hpa takes the options tolerance and window"),
        ("hpa:0.7,window=60s,window=30s", "window: hpa takes the options tolerance and window, each once"),
        ("hpa:0.7,tolerance=-1", "tolerance must be a number from 0 on"),
        ("hpa:0.7,window=soon", "window must be a duration"),
        ("hpa:0.7,window=2h", "window must be at most 1h, not 2h"),
    ],
)
def test_a_name_of_no_policy_is_refused(text: str, words: str) -> None:
    with pytest.raises(ContenderError, match=words):
        parse_contender(text)
