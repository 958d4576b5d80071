"""The examples of upload servers, over a real connection: a rejection comes before the body has been sent."""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

SERVERS = {
    "fastapi": ["-m", "uvicorn", "upload_fastapi:app", "--log-level", "warning", "--port"],
    "flask": ["-m", "flask", "--app", "upload_flask", "run", "--port"],
    "django": ["upload_django.py", "runserver"],
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    for module in {"fastapi": ["fastapi", "uvicorn"]}.get(request.param, [request.param]):
        if not os.environ.get("CI_PYTHON"):
            pytest.importorskip(module)
        importlib.import_module(module)
    port = free_port()
    process = subprocess.Popen([sys.executable, *SERVERS[request.param], str(port)], cwd=EXAMPLES)
    try:
        for _ in range(300):
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionError:
                time.sleep(0.1)
        yield request.param, port
    finally:
        process.terminate()
        process.wait(timeout=10)


def post(server: tuple[str, int], data: bytes, rest: int = 0) -> tuple[int, dict[str, object]]:
    """Posts an image of which the last `rest` bytes are never sent."""
    kind, port = server
    content_type = "image/png"
    if kind == "django":
        head = b'--cut\r\nContent-Disposition: form-data; name="image"; filename="photo.png"\r\n\r\n'
        data, content_type = head + data + (b"" if rest else b"\r\n--cut--\r\n"), "multipart/form-data; boundary=cut"
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        request = (
            f"POST /images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(data) + rest}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(request.encode() + data)
        response = b""
        while b"\r\n\r\n" not in response or not response.rstrip().endswith(b"}"):
            received = connection.recv(65536)
            if not received:
                break
            response += received
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_an_accepted_image_is_stored(server: tuple[str, int], images: Path) -> None:
    status, verdict = post(server, (images / "png/rgb.png").read_bytes())
    assert (status, verdict["decision"], verdict["width"]) == (201, "accept", 256)


def test_a_rejection_is_sent_while_the_upload_is_received(server: tuple[str, int]) -> None:
    # More than the buffers of a server, and far less than announced.
    page = b"<!doctype html><title>not an image</title>" + b" " * 300_000
    status, verdict = post(server, page, rest=5_000_000)
    assert (status, verdict["decision"]) == (422, "reject")


def test_a_truncated_image_is_rejected_at_its_end(server: tuple[str, int], images: Path) -> None:
    status, verdict = post(server, (images / "png/rgb.png").read_bytes()[:-5])
    assert (status, verdict["decision"]) == (422, "reject")


@pytest.mark.parametrize("rest", [9_000_000, 2**64])
def test_an_announced_length_that_is_too_large_is_rejected_before_the_body(
    server: tuple[str, int], images: Path, rest: int
) -> None:
    status, verdict = post(server, (images / "png/rgb.png").read_bytes(), rest=rest)
    assert (status, verdict["decision"]) == (422, "reject")
    assert isinstance(verdict["violations"], list)
    assert [found["code"] for found in verdict["violations"]] == ["image/too-large"]
