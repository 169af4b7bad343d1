"""What a published thing is recognised by: a digest of what it says, however it is laid out."""

from __future__ import annotations

import hashlib
import json

_DIGITS = 16


def digest_of(content: object) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON: keys sorted, no blanks."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGITS]
