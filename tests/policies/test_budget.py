"""What users write of budgets, and the columns that it becomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.budget import budget_from, caps_of
from policies.budget_terms import BudgetTerms
from policies.documents import documents_from
from policies.fleet import fleet_of
from policies.model import UNKNOWN
from policies.packing import pack
from policies.problems import PolicyError
from policies.snapshot import fleet_from
from policies.subset import fleet_for
from tests.builders import FREE, Document, budget, demand, one, policy
from tests.policies.test_snapshot import without

INF = np.inf
PRICES = {"prices": {"replicaHour": 1.5}}


def written(**spec: object) -> Document:
    return {"apiVersion": "foresail.dev/v1alpha1", "kind": "Budget", "metadata": {"name": "shop"}, "spec": spec}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param(
            written(namespace="shop"),
            "spec: must have one of usdPerHour, gpus, freeze, stepDown and stepUp, or several",
            id="caps-nothing",
        ),
        pytest.param(written(gpus=0), "spec.gpus: must be above 0, not 0", id="none-at-all"),
        pytest.param(written(usdPerHour="12 $"), "spec.usdPerHour: must be a price above 0 such as", id="a-currency"),
        pytest.param(written(gpu=8, usdPerHour=1), "spec.gpu: is not a field here (did you mean gpus?)", id="misspelt"),
        pytest.param(
            {**written(gpus=8), "metadata": {"name": "shop", "namespace": "shop"}},
            "metadata.namespace: is not a field here",
            id="in-a-namespace",
        ),
    ],
)
def test_one_fault_of_a_budget_is_one_problem(document: Document, problem: str) -> None:
    with pytest.raises(PolicyError) as failure:
        budget_from(document, source="b.yaml")
    assert len(failure.value.problems) == 1
    assert str(failure.value).startswith(f"b.yaml: {problem}")


def test_a_budget_of_money_needs_the_price_of_a_replica() -> None:
    with pytest.raises(ValueError, match=r"needs objective\.prices\.replicaHour, the price of one replica"):
        policy("a", budget={"usdPerHour": 12})
    assert policy("a", budget={"usdPerHour": 12}, objective=PRICES).spec.budget is not None


def test_documents_are_taken_by_their_kind() -> None:
    found = documents_from([policy("a").document(), written(gpus=8), None], source="a.yaml")
    assert [each.uid for each in found.policies] == ["shop/a"]
    assert [caps_of(each.spec) for each in found.budgets] == [(INF, 8)]
    with pytest.raises(PolicyError, match=r"a\.yaml \(document 2\): spec: must have one of usdPerHour, gpus"):
        documents_from([policy("a").document(), written()], source="a.yaml")


def test_policies_and_budgets_become_columns() -> None:
    policies = [
        policy("a", priority=-5, budget={"gpus": 4, "replicaGpus": "0.5"}),
        policy("b", budget={"usdPerHour": 12}, objective=PRICES),
    ]
    budgets = [budget(gpus=8), budget(gpus=9, usdPerHour=20), budget(None, usdPerHour=40), budget("api", gpus=1)]
    terms = fleet_of(policies, FREE, budgets).budget
    assert terms.priority.tolist() == [-5, 0]
    assert terms.need.tolist() == [[UNKNOWN, 0.5], [1.5, UNKNOWN]]
    assert terms.own.tolist() == [[INF, 4], [12, INF]]
    assert terms.names == ("api", "shop")
    assert terms.namespaces.tolist() == [[INF, 1], [20, 8], [INF, INF]]
    assert terms.fleet.tolist() == [40, INF]
    assert terms.namespace.tolist() == [1, 1]


def test_a_fleet_with_budgets_is_packed_and_divided() -> None:
    policies, budgets = [policy("a", priority=3), policy("b", budget={"gpus": 2})], [budget(gpus=8)]
    fleet = fleet_of(policies, FREE, budgets)
    assert pack(fleet_from(pack(fleet))) == pack(fleet)
    part, made = fleet_for(fleet, np.array([False, True])), fleet_of(policies[1:], FREE, budgets)
    assert pack(part.budget) == pack(made.budget)


def test_a_fleet_of_an_older_foresail_has_no_budgets() -> None:
    fleet = one(demand())
    assert pack(fleet_from(without(pack(fleet), "budget"))) == pack(replace(fleet, budget=BudgetTerms.none(1)))
