from __future__ import annotations

import errno
import io
import mmap
import os
import pickle
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import get_args

import greenlight_image as g
import pytest

GOOD = "png/rgb.png"
BAD = "png/cut-in-data.png"


def test_every_kind_of_source_has_the_same_verdict(images: Path) -> None:
    for name in (GOOD, BAD, "jpeg/too-small.jpg", "other/noise.bin", "webp"):
        path = images / name
        if path.is_dir():
            path = next(path.iterdir())
        data = path.read_bytes()
        of_bytes = g.inspect(data)
        for source in (bytearray(data), memoryview(data), memoryview(data * 2)[: len(data)], io.BytesIO(data)):
            assert g.inspect(source) == of_bytes, (name, type(source))
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert g.inspect(file) == of_bytes
            assert g.inspect(mapped) == of_bytes
        assert g.inspect(path).decision == of_bytes.decision
        assert g.inspect(str(path)) == g.inspect(path)
        assert g.inspect(path).source == str(path)


def test_a_buffer_with_gaps_is_read_as_its_bytes(images: Path) -> None:
    data = (images / GOOD).read_bytes()
    doubled = bytes(byte for pair in zip(data, data) for byte in pair)
    assert g.inspect(memoryview(doubled)[::2]) == g.inspect(data)


def test_a_verdict_has_the_facts_as_attributes(images: Path) -> None:
    verdict = g.inspect((images / GOOD).read_bytes())
    assert verdict
    assert (verdict.decision, verdict.accepted, verdict.error) == ("accept", True, None)
    assert (verdict.format, verdict.width, verdict.height, verdict.frames) == ("png", 256, 256, 1)
    assert verdict.violations == ()
    assert verdict.download is None


def test_a_bad_image_is_a_value(images: Path) -> None:
    verdict = g.inspect(images / "jpeg" / "too-small.jpg")
    assert not verdict
    [violation] = [found for found in verdict.violations if found.code == "image/too-small"]
    assert violation.severity == "reject"
    assert isinstance(violation.measured, str)
    assert str(violation) == violation.message
    assert g.inspect(b"").decision == "reject"


def test_what_cannot_be_read_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        g.inspect(tmp_path / "none.png")
    assert missing.value.errno == errno.ENOENT
    assert missing.value.filename == str(tmp_path / "none.png")
    for name in ("", "./none//there.png"):
        with pytest.raises(FileNotFoundError) as missing:
            g.inspect(name)
        assert missing.value.filename == name
    with pytest.raises(IsADirectoryError):
        g.inspect(tmp_path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(OSError):
        g.inspect(fifo)

    class Broken(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise TimeoutError("the disk is gone")

    with pytest.raises(TimeoutError):
        g.inspect(Broken())


def test_a_source_of_another_type_is_a_typeerror(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not int"):
        g.inspect(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="binary mode"):
        g.inspect(io.StringIO("text"))  # type: ignore[arg-type]
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x89PNG\r\n\x1a\n")
    for encoding in ("utf-8", "latin-1"):
        with binary.open(encoding=encoding) as file, pytest.raises(TypeError, match="open the file in binary mode$"):
            g.inspect(file)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="depth"):
        g.inspect(b"", depth="deep")  # type: ignore[arg-type]


def test_the_types_of_words_are_exported() -> None:
    assert get_args(g.Depth) == ("header", "structure", "payload")
    assert get_args(g.Decision) == ("accept", "reject", "inconclusive")
    assert get_args(g.Severity) == ("warn", "reject")
    depth: g.Depth = "header"
    decision: g.Decision = g.inspect(b"", depth=depth).decision
    assert decision == "reject"


def test_depth_decides_how_far_a_file_is_read(images: Path) -> None:
    cut = images / BAD
    assert g.inspect(cut, depth="header").accepted
    assert not g.inspect(cut, depth="structure").accepted


def test_verdicts_survive_pickle_and_json(images: Path) -> None:
    for path in (images / GOOD, images / BAD):
        verdict = g.inspect(path)
        assert pickle.loads(pickle.dumps(verdict)) == verdict
        assert g.Verdict.from_json(verdict.json()) == verdict
        for violation in verdict.violations:
            assert pickle.loads(pickle.dumps(violation)) == violation
    with pytest.raises(ValueError):
        g.Verdict.from_json("[]")


def large_png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + os.urandom(side)) * side, 1)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_the_lock_is_released_while_a_large_image_is_read(kind: type) -> None:
    data = kind(large_png(12_000))
    begun, ended = threading.Event(), threading.Event()

    def inspect() -> None:
        begun.set()
        for _ in range(5):
            assert g.inspect(data, depth="payload").accepted
        ended.set()

    thread = threading.Thread(target=inspect)
    thread.start()
    begun.wait()
    steps = 0
    while not ended.is_set():
        time.sleep(0.001)
        steps += 1
    thread.join()
    # With the lock held, this thread would run between two calls only.
    assert steps > 12
