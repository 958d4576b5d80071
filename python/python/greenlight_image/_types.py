"""The types of keyword arguments and of columns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from ._native import Requirements

Depth = Literal["header", "structure", "payload"]
"""How far an image is inspected."""
Decision = Literal["accept", "reject", "inconclusive"]
"""What a verdict decides."""
Severity = Literal["warn", "reject"]
"""Whether a violation rejects the image."""


class Settings(TypedDict, total=False):
    """The settings of Requirements: the keys of a `--requirements` file."""

    formats: Sequence[str]
    max_bytes: int | str
    warn_bytes: int | str
    min_width: int
    min_height: int
    max_side: int
    max_pixels: int
    max_gif_pixels: int
    max_heic_side: int
    max_url_chars: int
    download_time_ms: int
    frame_cap: int
    reject_warnings: bool
    enforce: Mapping[str, Literal["off", "warn", "reject"]]


class CheckOptions(TypedDict, total=False):
    """The options of check_urls() and check_batch()."""

    requirements: Requirements | None
    """Default: Requirements()."""
    mode: Literal["full", "header"]
    """How much of a file is downloaded. Default: "full"."""
    depth: Depth
    """How far a file is read in full mode. Default: "structure"."""
    concurrency: int
    """Downloads at the same time. Default: 64."""
    concurrency_per_host: int
    """Downloads at the same time from one host. Default: 8."""
    pace_per_host: float
    """Seconds between the starts of two downloads from one host. Default: 0."""
    deadline: float | None
    """Seconds for one download. Default: the download time of the requirements."""
    max_redirects: int
    """Default: 5."""
    user_agent: str | None
    """Default: greenlight/ and its version."""
    headers: dict[str, str]
    """Headers for every request."""
    allow_address: Sequence[str]
    """Addresses that are not public and yet allowed: CIDR or CIDR:PORT. Default: none."""
    deny_address: Sequence[str]
    """Addresses that are not allowed: CIDR or CIDR:PORT. Default: none."""
    files_under: Sequence[str | os.PathLike[str]]
    """Folders whose files a source may name. Default: none, every source is a URL."""


class Columns(TypedDict):
    """The columns of check_batch(), each as long as the list of sources."""

    source: list[str | None]
    """As given. The row of a source that is None or empty is inconclusive."""
    decision: list[Decision]
    codes: list[list[str]]
    """The codes of the violations, each once: first those that reject, then the warnings."""
    format: list[str | None]
    width: list[int | None]
    height: list[int | None]
    bytes: list[int | None]
    frames: list[int | None]
    """The number of frames, if they were counted."""
    elapsed_ms: list[int | None]
    """The duration of the download."""
    version: list[str]
    """The version of this package."""
    requirements: list[str]
    """The fingerprint of the requirements."""
    checked_at: list[int]
    """The start of the call, in milliseconds since 1970 (UTC)."""
    error: list[str | None]
    """Why the verdict is inconclusive."""
