"""Takes secrets out of text that leaves the process: by what surrounds them, and by what they are."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STARS = "***"
SHORTEST = 4  # characters of a known secret: what is shorter is in every text by chance

_NAMED = (  # how names of secrets end
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key"
    r"|client[_-]?key(?:[_-]?data)?|signing[_-]?key|signature|credentials?|session[_-]?id)"
)
_QUERY_NAME = rf"(?:[\w.-]{{0,64}}?(?:{_NAMED}|sig|key|auth|jwt|code)|x-amz-[\w-]*)"
_RULES = tuple(
    (re.compile(pattern, flags), instead)
    for pattern, flags, instead in (
        # A user and a password before a host; a password that was not encoded may hold any of these signs.
        (r"(?<=://)(?:[^\s/:@\"'<>]{0,256}:[^\s\"'<>]{0,1024}@|[^\s/?#\"'<>]{1,1024}@)", 0, f"{STARS}@"),
        # Headers whose value goes on to the end of the line, or of the quoted text.
        (
            r"((?:proxy-)?authorization|(?:set-)?cookie)(\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\"'\\\n]+",
            re.IGNORECASE,
            rf"\1\2{STARS}",
        ),
        (r"\b(bearer|basic|digest|apikey)\s+[\w.~+/=-]{6,}", re.IGNORECASE, rf"\1 {STARS}"),
        (rf"([?&;]{_QUERY_NAME}=)[^&\s\"'<>#\\]+", re.IGNORECASE, rf"\1{STARS}"),
        # NAME=value and NAME: value, quoted or not, also within a text that is itself quoted.
        (rf"({_NAMED}\\\"\s*[:=]\s*\\\")(?:(?!\\\").)*", re.IGNORECASE, rf"\1{STARS}"),
        (rf"({_NAMED}[\"']?\s*[:=]\s*\\\")(?:(?!\\\").)*", re.IGNORECASE, rf"\1{STARS}"),
        (rf"({_NAMED}[\"']?\s*[:=]\s*\")(?:[^\"\\]|\\.)*", re.IGNORECASE, rf"\1{STARS}"),
        (rf"({_NAMED}[\"']?\s*[:=]\s*')[^'\n]*", re.IGNORECASE, rf"\1{STARS}"),
        (rf"({_NAMED}\s*[:=]\s*)(?![\"'\\\s{{\[*])[^\s,;&)}}\]\"']+", re.IGNORECASE, rf"\1{STARS}"),
        # An environment as Kubernetes writes it: a name, then its value.
        (
            (
                rf"(name\\?[\"']?\s*:\s*\\?[\"']?[\w.-]{{0,64}}?{_NAMED}\\?[\"']?\s*,?\s*"
                r"\\?[\"']?value\\?[\"']?\s*:\s*\\?[\"']?)[^\s,\"'\\}]+"
            ),
            re.IGNORECASE,
            rf"\1{STARS}",
        ),
        # Tokens that are known by their form: JSON web tokens, and those of Grafana, GitHub, Slack and AWS.
        (r"\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*", 0, STARS),
        (r"\b(?:glsa|glc|gh[oprsu]|github_pat|xox[abprs])[_-][\w-]{10,}", 0, STARS),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b", 0, STARS),
    )
)


# Every rule needs one of these: most lines have none, and are not looked at further.
_WORDS = (
    *("pass", "pwd", "secret", "token", "key", "signature", "credential", "session", "bearer", "basic", "digest"),
    *("authorization", "cookie", "://", "&", "?", ";", "eyj", "glsa", "glc", "gh", "xox", "akia", "asia"),
)
_HINT = re.compile(
    rf"{_NAMED}\\?[\"']?\s*[:=]|value|://[^\s]*@|[?&;][\w.-]+=|bearer|basic|digest|apikey|authorization|cookie"
    r"|eyj|gls?[ac]|gh[oprsu]_|github_pat|xox|akia|asia",
    re.IGNORECASE,
)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# The value of a variable in an environment may be on the line after its name.
_NAME = re.compile(rf"name[\"']?\s*:\s*[\"']?[\w.-]{{0,64}}?{_NAMED}[\"']?,?\s*$", re.IGNORECASE)
_VALUE = re.compile(r"^(\s*[\"']?value[\"']?\s*:\s*[\"']?)[^\"'\n]+", re.IGNORECASE)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with three stars in place of what looks like a secret, and of the `secrets` in any of their spellings.

    It goes line by line, so that other threads get their turn.
    """
    for secret in spellings(secrets):
        text = text.replace(secret, STARS)
    return "".join(_lines(_KEY.sub(STARS, text).splitlines(keepends=True)))


def _lines(lines: Iterable[str]) -> Iterator[str]:
    named = False
    for line in lines:
        lower = line.lower()
        hinted = any(word in lower for word in _WORDS) and _HINT.search(line) is not None
        found = _VALUE.sub(rf"\1{STARS}", line) if named else line
        if hinted:
            for pattern, instead in _RULES:
                found = pattern.sub(instead, found)
        named = "name" in lower and _NAME.search(line) is not None
        yield found


def spellings(secrets: Iterable[str]) -> list[str]:
    """Secrets as texts may hold them, the longest first: plain, in a URL, in JSON, in base64."""
    found = set()
    for secret in secrets:
        if len(secret) >= SHORTEST:
            encoded = base64.b64encode(secret.encode()).decode()
            found |= {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
            found |= {json.dumps(secret, ensure_ascii=False)[1:-1], encoded.rstrip("="), encoded}
    return sorted(found, key=lambda each: (-len(each), each))


def clean(data: bytes, secrets: Iterable[str]) -> bool:
    """Whether none of the secrets is in these bytes, in any spelling."""
    return not any(each.encode() in data for each in spellings(secrets))
