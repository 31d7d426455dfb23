"""A receiver of spans: what a collector would get, decoded. Listens on loopback, or as a program in a pod.

Run as a program it accepts spans on port 4318 until it is ended, and prints each one as a line of JSON.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class ReceivedSpan:
    """One span, with the resource that recorded it."""

    service: str
    revision: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]


class OtlpReceiver:
    """Accepts POST /v1/traces; `with OtlpReceiver() as receiver: receiver.url`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.spans: list[ReceivedSpan] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.spans += decoded(self.headers.get("Content-Encoding", ""), body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "OtlpReceiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, trace_id: str) -> list[ReceivedSpan]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def wait(self, trace_id: str, until: Callable[[list[ReceivedSpan]], bool], seconds: float = 60) -> None:
        """Waits until the spans of a trace are as expected; fails with those that came."""
        end = time.monotonic() + seconds
        while not until(self.of(trace_id)):
            if time.monotonic() > end:
                raise AssertionError("\n".join(map(str, self.of(trace_id))) or f"no span of {trace_id}")
            time.sleep(0.1)


def decoded(encoding: str, body: bytes) -> list[ReceivedSpan]:
    """The spans of one export."""
    if encoding:
        raise ValueError(f"content encoding {encoding} is not expected")
    spans: list[ReceivedSpan] = []
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {entry.key: entry.value.string_value for entry in resource_spans.resource.attributes}
        for scope in resource_spans.scope_spans:
            spans += [
                ReceivedSpan(
                    service=resource["service.name"],
                    revision=resource["taskservice.revision"],
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes={entry.key: entry.value.string_value for entry in span.attributes},
                )
                for span in scope.spans
            ]
    return spans


if __name__ == "__main__":
    with OtlpReceiver("0.0.0.0", 4318) as running:
        while True:
            time.sleep(0.25)
            while running.spans:
                print(json.dumps(asdict(running.spans.pop(0))), flush=True)
