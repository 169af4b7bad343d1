"""The console's templates: Jinja2 with everything escaped, and the few filters that pages write values with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from controller.web.console import words

if TYPE_CHECKING:
    from controller.web.console.static_files import StaticFiles

_DAY_AND_TIME, _TIME_OF_DAY = "%Y-%m-%d %H:%M:%S", "%H:%M:%S"
_TIME = Markup('<time datetime="{exact}">{shown} UTC</time>')


class Templates:
    """Renders a template to text. A name that a template lacks is an error and never an empty place."""

    def __init__(self, static: StaticFiles) -> None:
        """Load and compile on first use."""
        self.static = static
        self._environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "time": time,
            "clock": clock,
            "number": words.number,
            "percent": words.percent,
            "span": words.span,
            "replicas": words.replicas,
        }
        self._environment.globals |= {"static": static.url, "words": words}

    def render(self, name: str, **values: object) -> Markup:
        """A template with these values."""
        return Markup(self._environment.get_template(name).render(values))  # noqa: S704 - the template has escaped it


def time(text: str, form: str = _DAY_AND_TIME) -> Markup:
    """A time of the API, to the second, for people and for programs."""
    return _TIME.format(exact=text, shown=datetime.fromisoformat(text).astimezone(UTC).strftime(form))


def clock(text: str) -> Markup:
    """The same without the day, for what is minutes away."""
    return time(text, _TIME_OF_DAY)
