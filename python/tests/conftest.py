"""Fixtures: the project's images, a server on loopback, and the command to compare with."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

IMAGES = Path(__file__).resolve().parents[2] / "fixtures" / "images"


@pytest.fixture(scope="session")
def images() -> Path:
    assert IMAGES.is_dir()
    return IMAGES


@pytest.fixture(scope="session")
def command() -> str:
    """The command, for the tests that compare with it."""
    binary = os.environ.get("GREENLIGHT_BINARY")
    if not binary:
        pytest.skip("GREENLIGHT_BINARY does not name the command")
    return binary


class Site:
    """Serves the fixtures. A query `wait=SECONDS` delays the response."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                requests.append(self.path)
                path, _, query = self.path.partition("?")
                if query.startswith("wait="):
                    time.sleep(float(query.removeprefix("wait=")))
                file = IMAGES / path.lstrip("/")
                found = file.is_file()
                body = file.read_bytes() if found else b""
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    pass

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.allow = [f"127.0.0.1/32:{self.port}"]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()
