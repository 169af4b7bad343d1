"""The frame of a page that needs nothing from elsewhere, and the pieces that pages share: cards and tables."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from simulations.report.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def framed(title: str, parts: Iterable[str]) -> str:
    """A whole page of these parts; its policy forbids the browser to load or run anything."""
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style></head><body>"
    )
    return f"{head}{''.join(parts)}</body></html>\n"


def card(name: str, big: str, more: str) -> str:
    """A figure with its name above and words below, all HTML."""
    told = f'<div class="name">{name}</div><div class="big">{unbroken(big)}</div><div class="more">{more}</div>'
    return f'<div class="card">{told}</div>'


def table(titles: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A table of HTML cells: the head of each row, then its cells; the first title is that of the heads."""
    body = "".join(f'<tr><th scope="row">{head}</th>{cells(row)}</tr>' for head, row in rows)
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def cells(row: Iterable[str]) -> str:
    """Cells of a row, of HTML."""
    return "".join(f"<td>{cell}</td>" for cell in row)


def unbroken(sentence: str) -> str:
    """With per cent signs that stay beside their numbers."""
    return sentence.replace(" %", "\u00a0%")
