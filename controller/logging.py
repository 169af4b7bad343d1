"""How the process logs: one JSON object a line on stderr, or coloured lines on a terminal; never a password."""

from __future__ import annotations

import logging
import re
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import Processor

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]+@")
_JSON: list[Processor] = [
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
]
_RECENT = 2000  # records that are kept for a debug bundle
_LONGEST_RECENT = 4000  # characters of one
# Libraries report what they do at info; their warnings are wanted.
_LIBRARIES_AT = logging.WARNING


class _Recent(logging.Handler):
    """Keeps the last records as JSON lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_RECENT)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record)[:_LONGEST_RECENT])


def recent() -> tuple[str, ...]:
    """The last records of this process as JSON lines, the oldest first; none before `configure`."""
    return tuple(line for each in logging.root.handlers if isinstance(each, _Recent) for line in tuple(each.lines))


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Log to `stream` (stderr) from `level` on, as ``json``, ``console``, or ``auto``: console on a terminal.

    Keys are ts (UTC, RFC 3339), level, event, logger, and those of the event. Safe to call again.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _without_credentials,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handlers: list[tuple[logging.Handler, list[Processor]]] = [
        (logging.StreamHandler(out), _ending(form, out)),
        (_Recent(), _JSON),
    ]
    for handler, ending in handlers:
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=shared,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
            )
        )
    logging.root.handlers = [handler for handler, _ in handlers]
    logging.root.setLevel(_LIBRARIES_AT)
    logging.captureWarnings(capture=True)
    logging.getLogger("foresail").setLevel(level.upper())


def _ending(form: str, out: TextIO) -> list[Processor]:
    terminal = out.isatty()
    if form == "console" or (form == "auto" and terminal):
        return [structlog.dev.ConsoleRenderer(colors=terminal, timestamp_key="ts")]
    return _JSON


def _without_credentials(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and "://" in value:
            event[key] = _CREDENTIALS.sub("***@", value)
    return event
