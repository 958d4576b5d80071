from __future__ import annotations

from pathlib import Path

import greenlight_image as g
import pytest


def test_a_gate_rejects_at_the_first_bytes_that_are_enough(images: Path) -> None:
    gate = g.Gate()
    assert gate.push(b"<!") is None
    rejected = gate.push(b"doctype html><title>not an image</title>")
    assert rejected is not None
    assert rejected.violations[0].code == "image/format-unsupported"
    assert gate.push(b"more") == gate.finish() == rejected


def test_a_gate_accepts_what_inspect_accepts(images: Path) -> None:
    data = (images / "png/rgb.png").read_bytes()
    for chunk in (1, 7, 4096, len(data)):
        gate = g.Gate()
        for start in range(0, len(data), chunk):
            assert gate.push(memoryview(data)[start : start + chunk]) is None
        so_far = gate.verdict_so_far()
        assert so_far is not None and so_far.decision == "inconclusive"
        assert gate.finish() == g.inspect(data)
        assert gate.finish().accepted
        with pytest.raises(ValueError, match="ended"):
            gate.push(b"")


def test_a_length_that_is_too_large_is_rejected_before_the_first_byte() -> None:
    gate = g.Gate(g.Requirements(max_bytes=1000))
    assert gate.announce_len(1000) is None
    rejected = gate.announce_len(1001)
    assert rejected is not None
    assert [found.code for found in rejected.violations] == ["image/too-large"]


def test_any_length_that_is_not_negative_is_accepted() -> None:
    for length in (2**64 - 1, 2**64, 99_999_999_999_999_999_999, 10**400):
        rejected = g.Gate().announce_len(length)
        assert rejected is not None
        assert [found.code for found in rejected.violations] == ["image/too-large"]
    for length in (-1, -(2**70)):
        gate = g.Gate()
        with pytest.raises(ValueError, match="length: must not be negative: -"):
            gate.announce_len(length)
        assert gate.announce_len(0) is None


def test_an_upload_that_ends_early_is_not_accepted(images: Path) -> None:
    gate = g.Gate()
    gate.push((images / "png/rgb.png").read_bytes()[:-1])
    assert not gate.finish()
    assert not g.Gate().finish()


def test_a_contradicted_claim_is_a_warning(images: Path) -> None:
    data = (images / "png/rgb.png").read_bytes()
    for gate in (g.Gate(file_name="photo.jpg"), g.Gate(content_type="image/jpeg")):
        gate.push(data)
        verdict = gate.finish()
        assert verdict.accepted
        assert [found.code for found in verdict.violations] == ["image/type-mismatch"]
