"""Decides whether Alibaba Cloud's image moderation can scan an image.

inspect() evaluates one image, Gate an upload while it is received, check_urls() and check_batch()
many URLs. Nothing is submitted and nothing is paid for.
"""

from ._native import (
    Checks,
    Download,
    Gate,
    Requirements,
    Verdict,
    Violation,
    __version__,
    check_batch,
    check_urls,
    inspect,
)
from ._types import CheckOptions, Columns, Decision, Depth, Settings, Severity

__all__ = [
    "CheckOptions",
    "Checks",
    "Columns",
    "Decision",
    "Depth",
    "Download",
    "Gate",
    "Requirements",
    "Settings",
    "Severity",
    "Verdict",
    "Violation",
    "__version__",
    "check_batch",
    "check_urls",
    "inspect",
]
