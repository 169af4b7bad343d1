"""Secrets in hostile surroundings: none is left, and what is no secret stays readable."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.redaction import redacted

SECRET = "s3cr3t-Value_0815"
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"postgresql+asyncpg://foresail:{SECRET}@db:5432/foresail", id="url-with-a-password"),
        pytest.param(f"https://{SECRET}@prometheus/api", id="url-with-a-token-as-user"),
        pytest.param(f"http://user:p@ss/{SECRET}@prometheus/api", id="password-with-signs-of-urls"),
        pytest.param(f"cannot connect to redis://:{SECRET}@cache", id="url-without-a-user"),
        pytest.param(f"GET /x refused: Authorization: Bearer {SECRET}", id="header-in-an-error"),
        pytest.param(f"{{'Authorization': 'Bearer {SECRET}'}}", id="header-in-a-dict"),
        pytest.param(f"Authorization: Digest username=x, response={SECRET}", id="header-with-several-parts"),
        pytest.param(f"Cookie: a=b; foresail_session={SECRET}", id="cookie"),
        pytest.param(f"server said: bad bearer {SECRET} for x", id="bearer-in-prose"),
        pytest.param(f"http://h/write?db=x&token={SECRET}&u=v", id="query-token"),
        pytest.param(f"http://h/blob?sv=1&sig={SECRET}", id="query-signature"),
        pytest.param(f"http://h/?X-Amz-Signature={SECRET}", id="query-of-aws"),
        pytest.param(f"host=db user=foresail password={SECRET} dbname=x", id="dsn-of-postgresql"),
        pytest.param(f"host=db password='a {SECRET}' dbname=x", id="dsn-with-a-quoted-password"),
        pytest.param(f"PGPASSWORD={SECRET}", id="variable"),
        pytest.param(f"FORESAIL_GRAFANA_TOKEN: {SECRET}", id="variable-in-yaml"),
        pytest.param(json.dumps({"apiKey": f'a"{SECRET}'}), id="json"),
        pytest.param(json.dumps({"event": json.dumps({"token": SECRET})}), id="json-within-json"),
        pytest.param(json.dumps({"event": f'password="{SECRET}"'}), id="quoted-within-json"),
        pytest.param(f"env:\n- name: API_TOKEN\n  value: {SECRET}\n", id="environment-in-yaml"),
        pytest.param(json.dumps({"env": [{"name": "DB_PASSWORD", "value": SECRET}]}), id="environment-in-json"),
        pytest.param(
            json.dumps({"env": [{"name": "DB_PASSWORD", "value": SECRET}]}, indent=1), id="environment-by-lines"
        ),
        pytest.param(f"key:\n{PEM}\nafter", id="private-key"),
        pytest.param(f"client-key-data: {SECRET}", id="kubeconfig"),
    ],
)
def test_a_secret_is_known_by_what_surrounds_it(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize(
    "token", [JWT, "glsa_abcDEF0123456789", "ghp_abcDEF0123456789", "AKIAIOSFODNN7EXAMPLE"], ids=lambda token: token[:4]
)
def test_tokens_are_known_by_their_form(token: str) -> None:
    assert redacted(f"it said {token}!") == "it said ***!"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('sum(rate(vllm:generation_tokens_total{namespace="shop"}[2m])) by (pod)', id="promql"),
        pytest.param('foresail_replicas{namespace="shop",workload="web"} 12.0', id="metric"),
        pytest.param("http://prometheus:9090/api/v1/query?query=up&time=1", id="url"),
        pytest.param('"prometheus_bearer_token_file": "/etc/foresail/token"', id="path-of-a-token"),
        pytest.param("mode: active\nreplicas: {min: 2, max: 40}", id="policy"),
        pytest.param("postgresql+asyncpg://db:5432/foresail?ssl=require", id="url-without-a-secret"),
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_what_is_around_a_secret_stays_readable() -> None:
    text = json.dumps({"url": f"http://a:{SECRET}@h/x?token={SECRET}&y=1", "n": 3})
    assert json.loads(redacted(text)) == {"url": "http://***@h/x?token=***&y=1", "n": 3}


_CHARACTERS = st.characters(codec="utf-8", exclude_characters="*", exclude_categories=["Cs", "Cc"])


@given(st.text(_CHARACTERS, min_size=6).map(str.strip).filter(lambda secret: len(secret) >= 6), st.data())
def test_a_known_secret_is_found_in_every_spelling(secret: str, data: st.DataObject) -> None:
    wraps = (str, lambda each: quote(each, safe=""), json.dumps, lambda each: base64.b64encode(each.encode()).decode())
    spelt = data.draw(st.sampled_from(wraps))(secret)
    assert spelt.strip('"') not in redacted(f"before {spelt} after", [secret])
