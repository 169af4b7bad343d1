"""What a simulated model server tells of itself and of its GPU: its batch, and how long requests took."""

from __future__ import annotations

from dataclasses import dataclass, field

# Some of vLLM's own bounds, in seconds.
FIRST_TOKEN_S = (0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
WHOLE_S = (0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0)
# How requests differ from the typical one: times its time, and the share of them.
SPREAD = ((0.5, 0.2), (0.8, 0.3), (1.0, 0.3), (1.6, 0.15), (3.0, 0.05))
_PREFILL_S, _DECODE_S = 0.15, 0.8  # of a typical request on an idle server


@dataclass(slots=True)
class Times:
    """A histogram that grows: how many requests took at most each bound, and all of them together."""

    bounds_s: tuple[float, ...]
    at_most: list[float] = field(default_factory=list)
    total: float = 0.0
    sum_s: float = 0.0

    def __post_init__(self) -> None:
        """Nothing was served yet."""
        self.at_most = [0.0] * len(self.bounds_s)

    def add(self, requests: float, typical_s: float) -> None:
        """Add requests whose typical one took `typical_s`: of 10 of 1 s, 8 took at most 1 s."""
        for times, share in SPREAD:
            took_s = times * typical_s
            self.at_most = [
                known + (share * requests if took_s <= bound_s else 0.0)
                for known, bound_s in zip(self.at_most, self.bounds_s, strict=True)
            ]
            self.sum_s += share * requests * took_s
        self.total += requests


@dataclass(slots=True)
class Engine:
    """The model server of one pod, on one GPU."""

    gpu: int  # which of all there are
    served: float = 0.0
    busy: float = 0.0  # share of what it can serve
    running: float = 0.0
    first_token: Times = field(default_factory=lambda: Times(FIRST_TOKEN_S))
    whole: Times = field(default_factory=lambda: Times(WHOLE_S))

    def serve(self, requests: float, *, seconds: float, capacity: float, wait_s: float) -> None:
        """Serve requests within `seconds`, each after `wait_s`; `capacity` is what it can serve in a second."""
        rate = requests / seconds
        self.served += requests
        self.busy = min(1.0, rate / capacity)
        first_s = wait_s + _PREFILL_S / (1.0 - 0.7 * self.busy)
        whole_s = first_s + _DECODE_S * (1.0 + self.busy)
        self.running = rate * (whole_s - wait_s)  # Little's law
        self.first_token.add(requests, first_s)
        self.whole.add(requests, whole_s)


def free_gpu(engines: dict[str, Engine]) -> int:
    """The first GPU that no server has."""
    taken = {each.gpu for each in engines.values()}
    return next(gpu for gpu in range(len(taken) + 1) if gpu not in taken)
