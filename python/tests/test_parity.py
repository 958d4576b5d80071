"""The verdicts are those of the command, with every violation."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import greenlight_image as g
import pytest

if TYPE_CHECKING:
    from conftest import Site


def lines(command: str, *arguments: str) -> list[dict[str, object]]:
    """The lines that `check` prints; it ends with 0, 1 or 2."""
    done = subprocess.run([command, "check", "--format", "jsonl", *arguments], capture_output=True, check=False)
    assert done.returncode in (0, 1, 2), done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for line in found:
        # What only the command states: the program, its requirements and the time.
        for name in ("version", "requirements", "settings", "checked_at"):
            line.pop(name, None)
    return found


@pytest.mark.parametrize("depth", ["header", "structure", "payload"])
def test_verdicts_of_files_are_those_of_the_command(command: str, images: Path, depth: str) -> None:
    folders = [images]
    if corpus := os.environ.get("GREENLIGHT_CORPUS"):
        folders.append(Path(corpus))
    expected = [line for folder in folders for line in lines(command, "--depth", depth, str(folder))]
    assert len(expected) > 80
    differing = []
    for line in expected:
        verdict = g.inspect(str(line["source"]), depth=depth)  # type: ignore[arg-type]
        if json.loads(verdict.json()) != line:
            differing.append((line, verdict))
    print(f"{depth}: {len(expected) - len(differing)} of {len(expected)} verdicts are equal")
    assert differing == []


@pytest.mark.parametrize("mode", ["header", "full"])
def test_verdicts_of_urls_are_those_of_the_command(command: str, images: Path, site: Site, mode: str) -> None:
    names = sorted(str(path.relative_to(images)) for path in images.rglob("*") if path.is_file())
    urls = [site.url(name) for name in names]
    expected = lines(command, "--probe", mode, "--allow-address", site.allow[0], *urls)
    verdicts = [json.loads(found.json()) for found in g.check_urls(urls, mode=mode, allow_address=site.allow)]  # type: ignore[arg-type]
    for line in expected + verdicts:
        if download := line["download"]:
            # They depend on when a connection was closed.
            download["elapsed_ms"] = download["bytes"] = 0
    assert verdicts == expected
