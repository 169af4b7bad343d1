"""Asks one PromQL query of a server and classes what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from controller.adapters.prometheus.decode import Failed, refusal
from controller.clients.http import HttpClient, TooLarge
from controller.errors import Unavailable
from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.clients.http import HttpAnswer

HTTP_OK = 200
AWAY_FROM_THE_LOOP_BYTES = 64 * 1024  # about a millisecond of decoding
SHORTEST_TIMEOUT_S = 0.001

Decoded = TypeVar("Decoded")


@dataclass(slots=True)
class PrometheusApi:
    """Prometheus's HTTP API for queries; Thanos, Mimir and VictoriaMetrics have the same."""

    client: HttpClient
    answer_bytes: int  # no answer may be larger
    clock_skew_s: float | None = None  # server's clock minus ours, as last seen

    async def call(
        self, path: str, form: Mapping[str, str], decode: Callable[[bytes], Decoded | Failed], *, within_s: float
    ) -> Decoded | Failed:
        """Post one query and decode its answer, off the event loop when it is large. Never raises."""
        answer = await self._call(path, form, decode, within_s=within_s)
        if isinstance(answer, Failed) and answer.why is not Why.BAD_QUERY:
            return replace(answer, message=f"{self.client.access.url}: {answer.message}")
        return answer

    async def _call(
        self, path: str, form: Mapping[str, str], decode: Callable[[bytes], Decoded | Failed], *, within_s: float
    ) -> Decoded | Failed:
        timeout_s = max(SHORTEST_TIMEOUT_S, min(within_s, self.client.access.timeout_s))
        whole = {**form, "timeout": f"{timeout_s:.3f}"}
        try:
            answer = await self.client.post_form(path, whole, timeout_s=timeout_s, at_most=self.answer_bytes)
        except TimeoutError:
            return Failed(Why.DEADLINE, f"no answer within {timeout_s:.3g} s")
        except TooLarge as error:
            return Failed(Why.BAD_QUERY, f"{error}; aggregate more", too_much=True)
        except Unavailable as error:
            return Failed(Why.SOURCE_DOWN, str(error))
        self.clock_skew_s = self.clock_skew_s if answer.skew_s is None else answer.skew_s
        if answer.status != HTTP_OK:
            return _refused(answer)
        if len(answer.body) < AWAY_FROM_THE_LOOP_BYTES:
            return decode(answer.body)
        return await asyncio.to_thread(decode, answer.body)


def _refused(answer: HttpAnswer) -> Failed:
    if answer.location:
        bare = answer.location.partition("?")[0]
        return Failed(Why.SOURCE_DOWN, f"the server redirects to {bare} (HTTP {answer.status}); set the URL to that")
    return refusal(answer.status, answer.body)
