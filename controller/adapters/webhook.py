"""The receiver of messages: a JSON document by POST, signed where there is a secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from controller.clients.http import secret_of
from controller.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from controller.clients.http import HttpClient
    from controller.ports import Clock
    from controller.records import Message

API_VERSION = "foresail.dev/v1alpha1"
SIGNATURE, SIGNED_AT = "X-Foresail-Signature", "X-Foresail-Timestamp"

_ANSWER_BYTES = 64 * 1024
# The document itself is refused, so that the same one would be refused again; all else may be mended meanwhile.
_FOR_GOOD = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)


class Webhook:
    """Posts messages to one URL. Implements `ports.Receiver`.

    The signature is the HMAC-SHA256 of the time of signing, a dot and the body, as `sha256=` and hexadecimal digits;
    the secret's file is read for every delivery.
    """

    def __init__(self, client: HttpClient, clock: Clock, secret_file: Path | None = None) -> None:
        """Nothing is sent yet."""
        self._client, self._clock, self._secret_file = client, clock, secret_file

    async def tell(self, messages: Sequence[Message], *, delivery: str) -> None:
        """Post messages as one document.

        Raises:
            Rejected: the receiver refuses this document (400, 413, 422).
            Unavailable: no answer in time, any other status, or no secret to sign with.
        """
        items = [_item(message) for message in messages]
        document = {"apiVersion": API_VERSION, "kind": "Messages", "delivery": delivery, "items": items}
        body = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "foresail", **self._signed(body)}
        timeout_s = self._client.access.timeout_s
        try:
            answer = await self._client.post_bytes("", body, headers, timeout_s=timeout_s, at_most=_ANSWER_BYTES)
        except TimeoutError as error:
            raise Unavailable(f"the webhook did not answer within {timeout_s:g} s") from error
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        if answer.status in _FOR_GOOD:
            raise Rejected(f"the webhook refuses the document (HTTP {answer.status})")
        raise Unavailable(f"the webhook answered HTTP {answer.status}")

    def _signed(self, body: bytes) -> dict[str, str]:
        if self._secret_file is None:
            return {}
        at = str(int(self._clock.now_s()))
        secret = secret_of(self._secret_file, "webhook secret file")
        return {SIGNED_AT: at, SIGNATURE: signature(secret, at, body)}


def signature(secret: str, at: str, body: bytes) -> str:
    """What the header of a body says that was signed at a unix time."""
    return f"sha256={hmac.new(secret.encode(), at.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def _item(message: Message) -> dict[str, Any]:
    """A message as JSON; what it does not tell is left out."""
    at = datetime.fromtimestamp(message.at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {
        "namespace": message.namespace,
        "workload": message.workload,
        "reason": message.reason,
        "before": message.before,
        "after": message.after,
    }
    return {
        "type": message.type,
        "at": at,
        "text": message.text,
        **{name: value for name, value in told.items() if value is not None},
    }
