"""Selectors and the table of pods: whose a pod is, found without trying every selector."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.adapters.kubernetes.decode import Pod
from controller.adapters.kubernetes.pods import PodTable
from controller.adapters.kubernetes.selectors import Requirement, Selector, SelectorIndex, parse_selector
from controller.records import PodView, TargetRef


def ref(name: str, namespace: str = "shop") -> TargetRef:
    return TargetRef("apps/v1", "Deployment", namespace, name)


def pod(name: str, namespace: str = "shop", *, phase: str = "Running", **labels: str) -> Pod:
    view = PodView(name, phase, deleted=False, ready=True, created_at_s=1.0, started_at_s=2.0, transition_at_s=3.0)
    return Pod(namespace, tuple(sorted(labels.items())), view)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        pytest.param("app=web", [Requirement("app", "in", frozenset({"web"}))], id="equal"),
        pytest.param("app==web", [Requirement("app", "in", frozenset({"web"}))], id="twice-equal"),
        pytest.param("app!=web", [Requirement("app", "notin", frozenset({"web"}))], id="unequal"),
        pytest.param("a in (x, y)", [Requirement("a", "in", frozenset({"x", "y"}))], id="in"),
        pytest.param("a notin (x)", [Requirement("a", "notin", frozenset({"x"}))], id="not-in"),
        pytest.param("a", [Requirement("a", "exists")], id="exists"),
        pytest.param("!a", [Requirement("a", "absent")], id="absent"),
        pytest.param("a=", [Requirement("a", "in", frozenset({""}))], id="empty-value"),
        pytest.param(
            "app.kubernetes.io/name=web,tier in (a,b),!canary",
            [
                Requirement("app.kubernetes.io/name", "in", frozenset({"web"})),
                Requirement("tier", "in", frozenset({"a", "b"})),
                Requirement("canary", "absent"),
            ],
            id="several",
        ),
        pytest.param("", [], id="none"),
    ],
)
def test_selectors_are_read_as_scales_write_them(text: str, terms: list[Requirement]) -> None:
    assert parse_selector(text) == Selector(tuple(terms))


@pytest.mark.parametrize("text", ["a=b=c", "(a)", "a in x", "a b", "=x"])
def test_what_is_no_selector_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="not a label selector"):
        parse_selector(text)


KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["x", "y", ""])
LABELS = st.dictionaries(KEYS, VALUES)
TERMS = st.builds(
    Requirement, KEYS, st.sampled_from(["in", "notin", "exists", "absent"]), st.frozensets(VALUES, min_size=1)
)
SELECTORS = st.lists(TERMS, max_size=3).map(lambda terms: Selector(tuple(terms)))


@given(st.lists(SELECTORS, max_size=6), LABELS)
def test_the_index_finds_what_trying_every_selector_finds(selectors: list[Selector], labels: dict[str, str]) -> None:
    index = SelectorIndex(dict(enumerate(selectors)))
    found = index.matching(tuple(sorted(labels.items())))

    assert sorted(found) == [number for number, selector in enumerate(selectors) if selector.matches(labels)]


def test_no_selector_is_tried_that_shares_only_a_common_label() -> None:
    selectors = {number: parse_selector(f"app=shop,part=p{number}") for number in range(1000)}
    index = SelectorIndex(selectors)

    assert index.matching((("app", "shop"), ("part", "p7"))) == (7,)
    assert index.candidates((("app", "shop"), ("part", "p7"))) == [7]


def table(*refs: TargetRef) -> PodTable:
    pods = PodTable()
    pods.follow(refs)
    for each in refs:
        pods.select(each, parse_selector(f"app={each.name}"))
    return pods


def names(pods: PodTable) -> dict[str, list[str]]:
    return {target.name: [view.name for view in views] for target, views in pods.views().items()}


def test_pods_are_filed_whichever_comes_first_they_or_the_selector() -> None:
    pods = PodTable()
    pods.follow([ref("web")])
    pods.put(pod("early", app="web"))
    assert names(pods) == {"web": []}
    pods.select(ref("web"), parse_selector("app=web"))
    pods.put(pod("late", app="web"))
    pods.put(pod("foreign", "elsewhere", app="web"))

    assert names(pods) == {"web": ["early", "late"]}


def test_a_pod_that_changes_its_labels_changes_its_target() -> None:
    pods = table(ref("web"), ref("chat"))
    pods.put(pod("p", app="web"))
    assert names(pods) == {"web": ["p"], "chat": []}
    pods.put(pod("p", app="chat"))
    assert names(pods) == {"web": [], "chat": ["p"]}
    pods.remove("shop", "p")
    assert names(pods) == {"web": [], "chat": []}


def test_a_full_list_removes_what_is_not_in_it() -> None:
    pods = table(ref("web"), ref("web", "other"))
    for namespace in ("shop", "other"):
        pods.put(pod("old", namespace, app="web"))
    pods.replace("shop", [pod("new", app="web")])

    assert [view.name for view in pods.views()[ref("web")]] == ["new"]
    assert [view.name for view in pods.views()[ref("web", "other")]] == ["old"]
    pods.replace(None, [])
    assert names(pods) == {"web": []}


def test_nothing_is_built_again_when_nothing_changed() -> None:
    pods = table(ref("web"), ref("chat"))
    pods.put(pod("w", app="web"))
    pods.put(pod("c", app="chat"))
    before = pods.views()
    pods.put(pod("c", app="chat"))
    assert pods.views() is before
    pods.put(pod("c", phase="Failed", app="chat"))
    after = pods.views()
    assert after[ref("web")] is before[ref("web")]
    assert after[ref("chat")][0].phase == "Failed"
    assert before[ref("chat")][0].phase == "Running"


def test_targets_no_longer_followed_and_their_namespaces_are_forgotten() -> None:
    pods = table(ref("web"), ref("llm", "other"))
    pods.put(pod("p", "other", app="llm"))
    assert len(pods.views()) == 2
    pods.follow([ref("web")])
    assert set(pods.views()) == {ref("web")}
    pods.follow([ref("llm", "other")])
    pods.select(ref("llm", "other"), parse_selector("app=llm"))
    assert pods.views() == {ref("llm", "other"): ()}


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(["p1", "p2", "p3"]), LABELS),
        st.tuples(st.just("remove"), st.sampled_from(["p1", "p2", "p3"])),
        st.tuples(st.just("select"), st.sampled_from(["web", "chat"]), st.one_of(st.none(), SELECTORS)),
        st.tuples(st.just("look")),
    ),
    max_size=30,
)


@given(ACTIONS)
def test_whatever_happens_in_whatever_order_each_target_has_the_pods_that_match(
    actions: list[tuple[object, ...]],
) -> None:
    pods = PodTable()
    pods.follow([ref("web"), ref("chat")])
    labels: dict[str, dict[str, str]] = {}
    selectors: dict[str, Selector] = {}
    for action in actions:
        match action:
            case ("put", str(name), dict(given_labels)):
                labels[name] = given_labels
                pods.put(pod(name, **given_labels))
            case ("remove", str(name)):
                labels.pop(name, None)
                pods.remove("shop", name)
            case ("select", str(name), Selector() as selector):
                selectors[name] = selector
                pods.select(ref(name), selector)
            case ("select", str(name), None):
                selectors.pop(name, None)
                pods.select(ref(name), None)
            case _:
                pods.views()

    assert names(pods) == {
        name: sorted(each for each, found in labels.items() if name in selectors and selectors[name].matches(found))
        for name in ("web", "chat")
    }
