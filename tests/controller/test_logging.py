"""Logs: one JSON object a line, the agreed keys, the chosen level, and no password."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from controller.logging import configure, recent

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers, logging.root.level
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_writes_one_json_object_a_line(out: io.StringIO) -> None:
    configure("info", "auto", out)
    log = structlog.get_logger("foresail.loop")
    log.info("scaled", workload="shop/chat", replicas=5)
    log.debug("not asked for")
    [line] = lines(out)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info",
        "event": "scaled",
        "logger": "foresail.loop",
        "workload": "shop/chat",
        "replicas": 5,
    }


def test_libraries_are_heard_from_warnings_on(out: io.StringIO) -> None:
    configure("debug", "json", out)
    logging.getLogger("alembic").info("running")
    logging.getLogger("alembic").warning("odd %s", "schema")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", UserWarning, stacklevel=1)
    assert [line["logger"] for line in lines(out)] == ["alembic", "py.warnings"]
    assert lines(out)[0]["event"] == "odd schema"


def test_an_exception_comes_with_its_trace(out: io.StringIO) -> None:
    configure("info", "json", out)
    try:
        int("broken")
    except ValueError:
        structlog.get_logger("foresail.loop").exception("fault", err="ValueError: broken")
    [line] = lines(out)
    assert line["level"] == "error"
    assert line["err"] == "ValueError: broken"
    assert line["exception"].startswith("Traceback")


def test_a_password_in_a_url_is_not_logged(out: io.StringIO) -> None:
    configure("info", "json", out)
    structlog.get_logger("foresail.journal").info("journal", err="cannot reach postgresql://me:hunter2@db/x: refused")
    assert "hunter2" not in out.getvalue()
    assert lines(out)[0]["err"] == "cannot reach postgresql://***@db/x: refused"


def test_a_terminal_gets_readable_lines(out: io.StringIO) -> None:
    configure("info", "console", out)
    structlog.get_logger("foresail.loop").info("scaled", workload="shop/chat")
    assert "scaled" in out.getvalue()
    assert "workload=shop/chat" in out.getvalue()
    assert not out.getvalue().startswith("{")


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_last_records_are_kept_as_json_whatever_is_shown(out: io.StringIO) -> None:
    configure("info", "console", out)
    log = structlog.get_logger("foresail.loop")
    for number in range(2001):
        log.info("scaled", number=number)
    log.info("x" * 10_000)
    kept = recent()
    assert len(kept) == 2000
    assert json.loads(kept[0])["number"] == 2
    assert len(kept[-1]) == 4000
    configure("info", "json", out)
    assert recent() == ()
