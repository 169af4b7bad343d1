"""Finds the vector selectors of a PromQL query, and what in it keeps its freshness from being known.

This is a tokenizer with one bit of grammar (whether an operand or an operator comes next), which is
enough to tell a metric from a function, a keyword, a label list or a duration; it checks no query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      (?P<skip>   \s+ | \#[^\n]* )
    | (?P<text>   "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )
    | (?P<number> 0[xX][0-9a-fA-F]+ | (?:[0-9]+(?:ms|[smhdwy]))+ (?![0-9A-Za-z_])
                | (?:[0-9][0-9_]*\.?[0-9]* | \.[0-9]+) (?:[eE][+-]?[0-9]+)? )
    | (?P<name>   [A-Za-z_:][A-Za-z0-9_:]* )
    | (?P<range>  \[[^\]]*\] )
    | (?P<other>  =~ | !~ | [=!<>]= | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_MATCHING = frozenset({"on", "ignoring", "group_left", "group_right"})
_GROUPING = frozenset({"by", "without"})
_POSTFIX = frozenset({"keep_metric_names"})
_NUMBERS = frozenset({"inf", "nan"})


@dataclass(frozen=True, slots=True)
class Selectors:
    """The distinct selectors of a query in order of appearance, without ranges, and what else it uses."""

    texts: tuple[str, ...]
    shifted: bool  # an offset or @ moves some selector in time
    subquery: bool
    functions: frozenset[str]  # names before a parenthesis, in small letters


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


@lru_cache(maxsize=8192)
def selectors_of(query: str) -> Selectors:
    """Find the vector selectors of a PromQL query; a query that is not valid gives something, never an error."""
    walk = _Walk(_tokens(query))
    walk.run()
    return Selectors(tuple(dict.fromkeys(walk.found)), walk.shifted, walk.subquery, frozenset(walk.functions))


def _tokens(query: str) -> list[_Token]:
    matches = _TOKEN.finditer(query)
    return [_Token(match.lastgroup or "", match.group()) for match in matches if match.lastgroup != "skip"]


@dataclass(slots=True)
class _Walk:
    """A single pass over the tokens; `operand` says whether an operand has just ended."""

    tokens: list[_Token]
    at: int = 0
    operand: bool = False
    shifted: bool = False
    subquery: bool = False
    found: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)

    def run(self) -> None:
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            match token.kind:
                case "text" | "number":
                    self._pass(operand=True)
                case "range":
                    self.subquery |= ":" in token.text
                    self._pass(operand=True)
                case "name" if self.operand:
                    self._operator(token.text.lower())
                case "name":
                    self._name(token.text)
                case _:
                    self._sign(token.text)

    def _pass(self, *, operand: bool) -> None:
        self.at += 1
        self.operand = operand

    def _operator(self, word: str) -> None:
        """A word after an operand: a modifier, a grouping that follows its aggregation, or a set operator."""
        self.shifted |= word == "offset"
        self._pass(operand=word in _POSTFIX or word in _GROUPING)
        if word in _GROUPING:
            self._skip_list()

    def _name(self, text: str) -> None:
        """A word where an operand is due: matching keyword, number, function, aggregation or metric."""
        word = text.lower()
        follower = self._text(1)
        if word in _MATCHING or word == "bool":
            self._pass(operand=False)
            self._skip_list()
        elif follower == "(":
            self.functions.add(word)
            self._pass(operand=False)
        elif follower.lower() in _GROUPING and self._text(2) == "(":
            self.functions.add(word)
            self.at += 1
            self._pass(operand=False)
            self._skip_list()
        elif word in _NUMBERS and follower != "{":
            self._pass(operand=True)
        else:
            self.at += 1
            self._selector(text)

    def _sign(self, text: str) -> None:
        if text == "{":
            self._selector("")
            return
        self.shifted |= text == "@"
        self._pass(operand=text == ")")

    def _selector(self, name: str) -> None:
        self.found.append(name + self._braces())
        self.operand = True

    def _braces(self) -> str:
        """The matchers that follow, if any, from brace to brace."""
        if self._text(0) != "{":
            return ""
        taken = self._until("}")
        inner = "".join(token.text for token in taken[1:-1])
        return f"{{{inner}}}" if inner else ""

    def _skip_list(self) -> None:
        """Step over the label list that follows, if any."""
        if self._text(0) == "(":
            self._until(")")

    def _until(self, end: str) -> list[_Token]:
        start = self.at
        while self.at < len(self.tokens) and self._text(0) != end:
            self.at += 1
        self.at += 1
        return self.tokens[start : self.at]

    def _text(self, ahead: int) -> str:
        """The text of a token ahead; empty past the end, and for strings, which are never signs."""
        index = self.at + ahead
        if index >= len(self.tokens) or self.tokens[index].kind == "text":
            return ""
        return self.tokens[index].text
