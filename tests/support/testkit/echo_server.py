"""The smallest service that can be released: answers with its revision and environment; ``/burn`` uses CPU time.

``/sicken`` makes this pod answer 503 from then on, ``/crash`` makes it end, and end again whenever it is restarted.
Runs inside a container by ``python3 -c``; standard library only.  At SIGTERM it asks clients to leave, then ends.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

leaving = threading.Event()
sick = threading.Event()
CRASHED = Path("/tmp/crashed")  # an emptyDir: it outlives the container


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/burn"):
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
        if self.path == "/sicken":
            sick.set()
        if self.path == "/crash":
            CRASHED.touch()
            os._exit(1)
        body = json.dumps(
            {name: value for name, value in os.environ.items() if name.startswith(("TASKSERVICE_", "ECHO_"))}
        )
        failing = os.environ.get("ECHO_STATUS")
        well = int(failing) if failing and self.path.startswith("/check") else 200
        self.send_response(503 if sick.is_set() else well)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-TaskService-Revision", os.environ.get("TASKSERVICE_REVISION", ""))
        if leaving.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    if os.environ.get("ECHO_CRASH") or CRASHED.exists():
        sys.exit("told to crash")
    time.sleep(float(os.environ.get("ECHO_START_SECONDS", "0")))
    server = Server(("", 8000), Handler)

    def leave(*_: object) -> None:
        leaving.set()
        threading.Timer(2.0, server.shutdown).start()

    signal.signal(signal.SIGTERM, leave)
    server.serve_forever(poll_interval=0.1)


main()
