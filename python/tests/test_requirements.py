from __future__ import annotations

import json
import pickle
from pathlib import Path

import greenlight_image as g
import pytest


def test_settings_are_the_keys_of_a_requirements_file(images: Path) -> None:
    text = '{"preset": "sync", "max_bytes": "4MB", "formats": ["png"], "enforce": {"image/too-small": "warn"}}'
    of_file = g.Requirements.from_json(text)
    of_settings = g.Requirements("sync", max_bytes="4MB", formats=["png"], enforce={"image/too-small": "warn"})
    assert of_file == of_settings
    assert json.loads(of_file.json())["max_bytes"] == 4_000_000
    small = images / "jpeg" / "too-small.jpg"
    codes = [found.code for found in g.inspect(small, requirements=of_file).violations if found.severity == "reject"]
    assert "image/format-unsupported" in codes
    assert "image/too-small" not in codes


def test_unusable_requirements_are_a_valueerror() -> None:
    for settings in ({"max_byte": 1}, {"max_bytes": "4 potatoes"}, {"enforce": {"no/rule": "warn"}}):
        with pytest.raises(ValueError):
            g.Requirements(**settings)
    with pytest.raises(ValueError):
        g.Requirements("never")
    with pytest.raises(ValueError):
        g.Requirements(preset="sync")  # type: ignore[call-arg]
    with pytest.raises(ValueError):
        g.Requirements.from_json("[]")


def test_equal_requirements_have_equal_fingerprints() -> None:
    first, second = g.Requirements(min_width=300), g.Requirements("async", min_width=300)
    assert first.fingerprint == second.fingerprint != g.Requirements().fingerprint
    assert hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(first)) == first
    assert g.Requirements.from_json(first.json()) == first
