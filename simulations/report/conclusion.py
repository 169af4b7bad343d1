"""What an answer comes to, in sentences: which policy to take, what it saves, and what that does to the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulations.report.estimates import estimate_text, saving_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulations.whatif.answer import Answer, Verdict

_PERCENT = 100.0


def kept(verdict: Verdict) -> str:
    """Whether a policy keeps its objective, and whether its interval says so too."""
    return f"{'yes' if verdict.keeps else 'no'}{'' if verdict.sure else ', unsure'}"


def conclusion(answer: Answer) -> Iterator[str]:
    """Yield the cheapest policy that keeps its objective, and the cheapest that is no worse than the incumbent."""
    incumbent = next(each for each in answer.policies if each.name == answer.incumbent)
    best, harmless = (answer.cheapest(those) for those in (lambda each: each.keeps, lambda each: each.no_worse))
    if best is incumbent:
        yield f"Of those that keep their objective none is cheaper than {best.name}, the incumbent."
        return
    if best is None:
        yield "No policy keeps its objective."
    else:
        yield (
            f"The cheapest that keeps its objective ({best.objective * _PERCENT:g} % late): {best.name}, which"
            f" {saving_text(best.saving_ratio)}. Late: {_late(best)}; {incumbent.name}: {_late(incumbent)}."
        )
    if harmless is best:
        yield f"It is no worse than {incumbent.name}, late or unserved."
    elif harmless is None or harmless is incumbent:
        yield f"No cheaper one is as seldom late as {incumbent.name} and leaves as little unserved."
    else:
        yield (
            f"The cheapest that is no worse than {incumbent.name}, late or unserved: {harmless.name}, which"
            f" {saving_text(harmless.saving_ratio)}."
        )


def _late(each: Verdict) -> str:
    return estimate_text("late_ratio", each.figures["late_ratio"])
