"""Prices from YAML and CSV, and every problem of such a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.pricing.table import CapacityType, Offer
from simulations.price_file import PriceFileError, read_prices

YAML = """\
apiVersion: foresail.dev/v1alpha1
kind: Prices
currency: EUR
asOf: 2026-11-01T00:00:00Z
prices:
- {provider: aws, instanceType: g5.xlarge, region: us-east-1, onDemand: 1.006, spot: 0.41}
- {instanceType: rack, onDemand: 2, asOf: 2026-10-01T00:00:00Z}
discounts:
- {percent: 10, family: g5, capacityType: on-demand}
commitments:
- {name: base, nodes: 3, price: 0.63, instanceType: g5.xlarge, term: 1095d, upfront: 50%}
- {name: plan, value: 5, price: 3.5}
"""
CSV = """\
provider,instance_type,region,zone,capacity_type,price,as_of
aws,m5.large,us-east-1,,,0.096,2026-11-01T00:00:00Z
aws,m5.large,us-east-1,us-east-1a,spot,0.0326,2026-11-02T00:00:00Z
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_has_prices_discounts_and_commitments(tmp_path: Path) -> None:
    own = read_prices(written(tmp_path, "prices.yaml", YAML))
    g5 = Offer("aws", "g5.xlarge", "us-east-1")
    assert own.table.currency == "EUR"
    assert own.table.price(g5) == 0.9054  # 1.006 less 10 %
    assert own.table.price(Offer("aws", "g5.xlarge", "us-east-1", capacity=CapacityType.SPOT)) == 0.41
    assert own.table.price(Offer("own", "rack", "here")) == 2
    base, plan = own.commitments
    assert (base.nodes, base.micros, base.upfront_ratio, base.covers(g5)) == (3, 1_890_000, 0.5, True)
    assert (plan.value_micros, plan.micros) == (5_000_000, 3_500_000)
    assert own.table.as_of_s[-1] < own.table.as_of_s[0]


def test_csv_has_a_price_a_row(tmp_path: Path) -> None:
    own = read_prices(written(tmp_path, "prices.csv", CSV))
    assert own.table.price(Offer("aws", "m5.large", "us-east-1", "us-east-1b")) == 0.096
    assert own.table.price(Offer("aws", "m5.large", "us-east-1", "us-east-1a", CapacityType.SPOT)) == 0.0326
    assert own.table.currency == "USD"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param(
            "p.yaml",
            YAML.replace("percent: 10", "percent: 110").replace("onDemand: 2", "ondemand: 2").replace("nodes: 3,", ""),
            [
                "prices[1].ondemand: is not a field here (did you mean onDemand?)",
                "prices[1]: states no price",
                "discounts[0].percent: must be 0 to 100 per cent, not 110",
                "commitments[0]: covers either a number of nodes or",
            ],
            id="every-problem-of-yaml",
        ),
        pytest.param("p.yaml", "a: [", ["is not YAML"], id="syntax"),
        pytest.param(
            "p.yaml",
            YAML.replace("- {instanceType: rack", "- {provider: aws, instanceType: g5.xlarge, region: us-east-1"),
            ["prices: aws g5.xlarge on-demand in us-east-1 has two prices"],
            id="twice",
        ),
        pytest.param(
            "p.csv",
            CSV.replace("0.096", "free").replace("spot", "spott"),
            ["row 1: price: must be a price above 0", "row 2: capacity_type: must be on-demand or spot, not 'spott'"],
            id="every-problem-of-csv",
        ),
        pytest.param(
            "p.csv",
            CSV.replace("instance_type", "instancetype"),
            [
                "instancetype: is no column of a price file (did you mean instance_type?)",
                "instance_type: this column is",
            ],
            id="columns",
        ),
        pytest.param(
            "p.csv",
            "instance_type,price,as_of,currency\na,1,2026-11-01T00:00:00Z,EUR\nb,1,2026-11-01T00:00:00Z,USD\n",
            ["currency: must be one, not EUR, USD"],
            id="two-currencies",
        ),
    ],
)
def test_every_problem_is_told_with_its_place(tmp_path: Path, name: str, text: str, told: list[str]) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(PriceFileError) as raised:
        read_prices(path)
    lines = str(raised.value).splitlines()
    assert len(lines) == len(told)
    for line, words in zip(lines, told, strict=True):
        assert line.startswith(f"{path}: {words}")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match="cannot be read: No such file"):
        read_prices(tmp_path / "absent.yaml")


def test_the_example_of_the_documents_is_valid(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "costs.md"
    [example] = [block.split("```")[0] for block in page.read_text().split("```yaml\n") if "kind: Prices" in block]
    own = read_prices(written(tmp_path, "prices.yaml", example))
    assert [each.name for each in own.commitments] == ["base", "plan"]
