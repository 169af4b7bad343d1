"""What is kept of a tick's answers: made once, forgotten with the tick, and bounded in bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from controller.web.once import once
from controller.web.pages import Pages, json_bytes


@dataclass
class Maker:
    made: list[str] = field(default_factory=list)

    async def ask(self, pages: Pages, key: str, subject: object) -> bytes:
        def make() -> bytes:
            self.made.append(key)
            return key.encode() * 100

        return (await pages.rendered(key, subject, make)).body


async def test_an_answer_is_made_once_for_each_subject() -> None:
    pages, maker, first, second = Pages(), Maker(), object(), object()
    assert pages.known("a", first) is None
    assert [await maker.ask(pages, "a", first) for _ in range(2)] == [b"a" * 100] * 2
    assert pages.known("a", second) is None
    known = pages.known("a", first)
    assert known is not None
    assert known.body == b"a" * 100
    await maker.ask(pages, "a", second)
    assert maker.made == ["a", "a"]


async def test_the_oldest_are_forgotten_when_there_are_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.web.pages._MOST_BYTES", 250)
    pages, maker, tick = Pages(), Maker(), object()
    for key in "abcd":  # before d there are 300 bytes
        await maker.ask(pages, key, tick)
    assert [key for key in "abcd" if pages.known(key, tick) is not None] == ["b", "c", "d"]
    await maker.ask(pages, "a", tick)
    assert maker.made == ["a", "b", "c", "d", "a"]


async def test_the_oldest_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.web.pages._MOST_KEPT", 2)
    pages, maker, tick = Pages(), Maker(), object()
    for key in "abc":
        await maker.ask(pages, key, tick)
    assert [key for key in "abc" if pages.known(key, tick) is not None] == ["b", "c"]


async def test_what_could_not_be_made_is_made_again() -> None:
    pages, maker, tick = Pages(), Maker(), object()

    def fail() -> bytes:
        raise KeyError("a")

    with pytest.raises(KeyError):
        await pages.rendered("a", tick, fail)
    assert pages.known("a", tick) is None
    assert await maker.ask(pages, "a", tick) == b"a" * 100


def test_figures_of_a_subject_are_made_once() -> None:
    asked: list[list[int]] = []

    @once
    def total(subject: list[int]) -> int:
        asked.append(subject)
        return sum(subject)

    one, other = [1, 2], [1, 2]
    assert [total(each) for each in (one, one, other, one)] == [3, 3, 3, 3]
    assert list(map(id, asked)) == list(map(id, (one, other, one)))


def test_what_is_no_number_is_null_in_json() -> None:
    assert json_bytes({"é": [1, 2.5, math.nan, math.inf, None, True]}) == '{"é":[1,2.5,null,null,null,true]}'.encode()
