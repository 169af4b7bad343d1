"""The built-in prices: sources and dates, and that figures are those of the files they were taken from."""

from __future__ import annotations

import pytest

from policies.pricing.facts import GIB, built_in_prices, machines
from policies.pricing.table import CapacityType, Offer
from policies.quantities import moment_text
from tests.simulations.shared import SHARED

FOLDER = SHARED / "data" / "prices"


@pytest.mark.parametrize(
    ("offer", "price", "source", "on"),
    [
        (Offer("aws", "g5.xlarge", "us-east-1"), 1.006, "AWS list price", "2026-07-20"),
        (Offer("aws", "g5.xlarge", "us-west-2"), 1.006, "estimate: us-east-1 times", "2026-07-20"),
        (
            Offer("aws", "m5.large", "us-east-1", capacity=CapacityType.SPOT),
            0.0326,
            "estimate: on-demand",
            "2026-07-20",
        ),
        (Offer("gcp", "g2-standard-4", "us-central1", capacity=CapacityType.SPOT), 0.3973, "GCP spot", "2026-08-03"),
        (Offer("azure", "Standard_D4s_v5", "westeurope"), 0.23, "Azure list price", "2026-06-18"),
    ],
)
def test_a_fact_has_its_source_and_date(offer: Offer, price: float, source: str, on: str) -> None:
    table = built_in_prices()
    row = table.row(offer)
    assert table.price(offer) == price
    assert table.sources[row].startswith(source)
    assert moment_text(float(table.as_of_s[row])).startswith(on)


def test_every_price_has_a_machine_and_every_machine_a_price() -> None:
    table = built_in_prices()
    assert {(offer.provider, offer.instance_type) for offer in table.offers} == set(machines())
    assert {offer.provider for offer in table.offers} == {"aws", "gcp", "azure"}
    assert (table.micros > 0).all()
    g5 = machines()["aws", "g5.12xlarge"]
    assert (g5.cpu_cores, g5.memory_bytes, g5.gpu, g5.gpus) == (48, 192 * GIB, "A10G", 4)


def test_spot_is_cheaper_than_on_demand() -> None:
    table = built_in_prices()
    for offer in table.offers:
        if offer.capacity is CapacityType.SPOT:
            on_demand = Offer(offer.provider, offer.instance_type, offer.region)
            assert table.price(offer) < table.price(on_demand)


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there are no price files in {FOLDER}")
@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_figures_are_those_of_the_price_files(provider: str) -> None:
    pandas = pytest.importorskip("pandas")
    found = pandas.read_parquet(FOLDER / f"{provider}.parquet").set_index(["instance_type", "region"])
    column = {"aws": "spot_price_est", "gcp": "spot_price"}
    table = built_in_prices()
    for row, offer in enumerate(table.offers):
        if offer.provider == provider:
            name = "price" if offer.capacity is CapacityType.ON_DEMAND else column[provider]
            told = found.loc[(offer.instance_type, offer.region), name]
            assert table.micros[row] / 1e6 == pytest.approx(float(told), abs=6e-5), offer
