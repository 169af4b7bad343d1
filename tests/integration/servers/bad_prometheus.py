"""Owns a server that answers Prometheus's API in every wrong way that a test asks for."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Sample = tuple["Mapping[str, str]", "float | str"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer: `length` is promised (the body's own when None), `cut` closes without a word."""

    body: bytes = b""
    status: int = 200
    delay_s: float = 0.0
    length: int | None = None
    cut: bool = False
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked: the path and its parameters, of the URL and of a form together."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


def json_answer(document: object, *, status: int = 200) -> Answer:
    """Answer with a document as JSON."""
    return Answer(json.dumps(document).encode(), status=status)


def vector(samples: Sequence[Sample], *, at_s: float, warnings: Sequence[str] = ()) -> Answer:
    """Answer an instant query with these samples: (labels, value)."""
    result = [{"metric": dict(labels), "value": [at_s, str(value)]} for labels, value in samples]
    document = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return json_answer({**document, "warnings": list(warnings)} if warnings else document)


def status(code: int, *, message: str = "told to fail") -> Answer:
    """Answer with an error as Prometheus words it."""
    return json_answer({"status": "error", "errorType": "internal", "error": message}, status=code)


def garbage() -> Answer:
    """Answer 200 with a proxy's HTML page."""
    return Answer(b"<html><body>Sign in to go on</body></html>", content_type="text/html")


def truncated() -> Answer:
    """Answer with JSON cut in its middle, of the length that is promised."""
    return Answer(vector([({"app": "a"}, 1.0)], at_s=1.0).body[:-20])


def half() -> Answer:
    """Promise a whole answer, send half of it and close the connection."""
    whole = vector([({"app": "a"}, 1.0)], at_s=1.0).body
    return Answer(whole[: len(whole) // 2], length=len(whole))


def drop() -> Answer:
    """Close the connection without an answer."""
    return Answer(cut=True)


def slow(seconds: float, then: Answer) -> Answer:
    """Wait before the answer."""
    return replace(then, delay_s=seconds)


class BadPrometheus:
    """An HTTP server on loopback that answers as it is told; it starts with 404 to everything."""

    def __init__(self) -> None:
        """Open the port and serve."""
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._answer: Callable[[Request], Answer] = lambda _: status(404)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="bad-prometheus")
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the serving server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port; answers still waiting are cut."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answers(self, *answers: Answer) -> None:
        """Give each request the next of these answers; the last one repeats."""
        left = list(answers)

        def next_answer(_: Request) -> Answer:
            return left.pop(0) if len(left) > 1 else left[0]

        self.route(next_answer)

    def route(self, answer: Callable[[Request], Answer]) -> None:
        """Choose the answer by the request."""
        with self._lock:
            self._answer = answer

    def answer(self, request: Request) -> Answer:
        """Record a request and return its answer when its delay is over."""
        with self._lock:
            self.requests.append(request)
            answer = self._answer(request)
        ended = self._closing.wait(answer.delay_s) if answer.delay_s else False
        return drop() if ended else answer


def _handler_of(server: BadPrometheus) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond(server.answer(self._request(form="")))

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            self._respond(server.answer(self._request(form=self.rfile.read(size).decode())))

        def _request(self, *, form: str) -> Request:
            url = urlsplit(self.path)
            params = dict(parse_qsl(url.query) + parse_qsl(form))
            return Request(url.path, params, dict(self.headers.items()))

        def _respond(self, answer: Answer) -> None:
            self.close_connection = True
            if answer.cut:
                return
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                # The client gave up waiting, as it should.
                return

        def log_message(self, *_: object) -> None:
            """Keep the test's output free of access logs."""

    return Handler
