"""`--vary`: how it is read, what it sets, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulations.sweep.vary import Vary, VaryError, variants_of

if TYPE_CHECKING:
    from policies.problems import Location


def scenario() -> dict[str, Any]:
    return {
        "name": "peak",
        "runs": 20,
        "policies": [{"name": "kubernetes"}, {"name": "foresail", "objective": {"late": "1%"}}],
        "prices": {"a.large": 0.1},
    }


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        pytest.param("runs=10,20", ("runs",), (10, 20), id="numbers"),
        pytest.param(
            "policies[0].objective.late=0.1%,1%,5%",
            ("policies", 0, "objective", "late"),
            ("0.1%", "1%", "5%"),
            id="shares-in-a-list",
        ),
        pytest.param("load.growth=-0.5, 1.5", ("load", "growth"), (-0.5, 1.5), id="signs-and-spaces"),
        pytest.param("spot=true,false,null", ("spot",), (True, False, None), id="words-of-yaml"),
        pytest.param("rule='a,b',c", ("rule",), ("a,b", "c"), id="a-comma-in-quotes"),
        pytest.param("rule=hpa:0.7,hpa:0.8", ("rule",), ("hpa:0.7", "hpa:0.8"), id="a-colon-inside"),
        pytest.param('prices["a.large"]=1', ("prices", "a.large"), (1,), id="a-key-with-a-dot"),
        pytest.param("labels['a=b'].x=1", ("labels", "a=b", "x"), (1,), id="a-key-with-an-equals-sign"),
        pytest.param("rates[0][1]=2", ("rates", 0, 1), (2,), id="a-list-in-a-list"),
        pytest.param("n=1,1.0", ("n",), (1, 1.0), id="alike-but-of-two-kinds"),
    ],
)
def test_a_vary_is_a_path_and_values(text: str, path: Location, values: tuple[object, ...]) -> None:
    read = Vary.parse(text)
    assert read.path == path
    assert [(type(each), each) for each in read.values] == [(type(each), each) for each in values]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("runs", "PATH=VALUE,VALUE", id="no-equals-sign"),
        pytest.param("=1", "PATH=VALUE,VALUE", id="no-path"),
        pytest.param("runs=", "runs: needs at least one value", id="no-value"),
        pytest.param("runs=1,1", "runs: has 1 twice", id="twice-the-same"),
        pytest.param("load={a: 1}", "load: must be single values, not a mapping; vary a field inside it", id="mapping"),
        pytest.param("load=[1],2", "load: must be single values, not a list", id="list"),
        pytest.param("load='1", "is no list of YAML values", id="a-quote-left-open"),
        pytest.param("a..b=1", "cannot be read from '..b' on", id="two-dots"),
        pytest.param("a[x]=1", "cannot be read from '[x]' on", id="a-name-in-brackets"),
        pytest.param("a[-1]=1", "cannot be read from '[-1]' on", id="counted-from-the-end"),
    ],
)
def test_what_is_no_vary_is_refused_with_the_mend(text: str, told: str) -> None:
    with pytest.raises(VaryError) as refused:
        Vary.parse(text)
    assert told in str(refused.value)


def test_the_grid_is_every_combination_the_first_place_slowest() -> None:
    document = scenario()
    varied = [Vary.parse("policies[1].objective.late=0.1%,5%"), Vary.parse("runs=10,30")]
    variants = variants_of(document, varied)
    assert [each.label for each in variants] == [
        "policies[1].objective.late=0.1%, runs=10",
        "policies[1].objective.late=0.1%, runs=30",
        "policies[1].objective.late=5%, runs=10",
        "policies[1].objective.late=5%, runs=30",
    ]
    assert variants[3].document["policies"][1]["objective"]["late"] == "5%"
    assert variants[3].document["runs"] == 30
    assert variants[0].document["policies"][1]["objective"]["late"] == "0.1%"
    assert document == scenario()


def test_a_place_that_has_its_default_is_written() -> None:
    (made,) = variants_of(scenario(), [Vary.parse("policies[0].objective.late=2%")])
    assert made.document["policies"][0] == {"name": "kubernetes", "objective": {"late": "2%"}}


def test_without_anything_varied_the_scenario_is_its_only_variant() -> None:
    (only,) = variants_of(scenario(), [])
    assert only.document == scenario()
    assert only.label == ""


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        pytest.param(["policies[2].name=a"], "policies[2]: is not there; policies has 2 entries", id="past-the-end"),
        pytest.param(["policies.name=a"], "policies: is a list; write policies[0] to policies[1]", id="a-list"),
        pytest.param(["prices[0]=1"], "prices: is a mapping with a.large, no list", id="a-mapping"),
        pytest.param(["runs.x=1"], "runs: is 20, which has nothing inside; vary runs itself", id="a-value"),
        pytest.param(["polices[0].name=a"], "polices: is not in the scenario (did you mean policies?)", id="misspelt"),
        pytest.param(["[0]=1"], "the scenario: is a mapping with name, runs, policies, prices", id="no-name"),
        pytest.param(["runs=1", "runs=2"], "runs and runs vary the same place", id="twice"),
        pytest.param(["prices=1", "prices.x=2"], "prices.x and prices vary the same place", id="one-in-the-other"),
    ],
)
def test_a_place_that_is_not_there_is_refused_with_what_is(texts: list[str], told: str) -> None:
    with pytest.raises(VaryError) as refused:
        variants_of(scenario(), [Vary.parse(text) for text in texts])
    assert told in str(refused.value)
