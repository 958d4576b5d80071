"""Files per second of this package beside imagesize, filetype and Pillow.

    pip install greenlight-image imagesize filetype Pillow
    python readers.py FOLDER [FILE.csv]
"""

from __future__ import annotations

import csv
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import filetype
import greenlight_image as g
import imagesize
from PIL import Image

ROUNDS = 3


def pillow_verify(path: str) -> bool:
    with Image.open(path) as image:
        image.verify()
    return True


def pillow_load(path: str) -> bool:
    with Image.open(path) as image:
        image.load()
    return True


READERS: dict[str, Callable[[str], object]] = {
    "greenlight header": lambda path: g.inspect(path, depth="header"),
    "greenlight structure": g.inspect,
    "greenlight payload": lambda path: g.inspect(path, depth="payload"),
    "imagesize.get": lambda path: imagesize.get(path) != (-1, -1),
    "filetype.guess": filetype.guess,
    "Pillow open and verify": pillow_verify,
    "Pillow open and load": pillow_load,
}


def accepted(reader: Callable[[str], object], paths: list[str]) -> int:
    count = 0
    for path in paths:
        try:
            count += bool(reader(path))
        except Exception:  # Pillow raises many types for a bad image
            pass
    return count


def main(folder: str, table: str | None = None) -> None:
    warnings.simplefilter("ignore")
    paths = [str(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    print(f"{len(paths)} files, best of {ROUNDS} rounds, page cache warm")
    rows = []
    for name, reader in READERS.items():
        count = accepted(reader, paths)
        best = float("inf")
        for _ in range(ROUNDS):
            started = time.perf_counter()
            accepted(reader, paths)
            best = min(best, time.perf_counter() - started)
        rate = len(paths) / best
        print(f"{name:22} {best / len(paths) * 1e6:8.1f} us/file {rate:10,.0f} files/s {count:6} accepted")
        rows.append([name, f"{best / len(paths) * 1e6:.1f}", f"{rate:.0f}", count])
    if table is not None:
        with open(table, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["reader", "us per file", "files per second", "accepted"])
            writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
