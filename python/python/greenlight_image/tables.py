"""Tables of URLs and of verdicts, for Spark, Ray and Dask. This module needs pyarrow; the package does not.

docs/bulk.md of the project describes the recipes that use it.
"""

from __future__ import annotations

import logging
import os
from typing import Unpack

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from pyarrow import fs

from ._native import check_batch
from ._types import CheckOptions, Columns

__all__ = ["SCHEMA", "check", "sources", "written"]

_LOG = logging.getLogger("greenlight_image")

_BATCH = 2000
"""Sources per call of check_batch(): `checked_at` is the start of a call, and each waits for its slowest source."""

_TYPES = {"codes": pa.list_(pa.string())} | dict.fromkeys(
    ["width", "height", "bytes", "frames", "elapsed_ms", "checked_at"], pa.int64()
)

SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in Columns.__annotations__])
"""The columns of check_batch()."""

_HOST = r"^[a-z]+://(?:[^/?#]*@)?(?P<host>\[[^\]]*\]|[^/?#:]*)"


def sources(table: pa.Table, column: str = "url") -> pa.Table:
    """Returns the columns `url` and `host` of a list.

    `url` is a text as the command reads it from a list: without blanks around a URL, and empty for a null. Rows are to be
    partitioned by `host`, because the limits per host are those of a process: it is in lower case and without a port; a
    path is its own host.
    """
    url = pc.fill_null(pc.cast(table[column], pa.string()), "")
    url = pc.if_else(pc.match_substring(url, "://"), pc.utf8_trim_whitespace(url), url)
    found = pc.struct_field(pc.extract_regex(pc.utf8_lower(url), _HOST), "host")
    return pa.table({"url": url, "host": pc.coalesce(found, url)})


def check(table: pa.Table, **options: Unpack[CheckOptions]) -> pa.Table:
    """Checks the column `url` with the options of check_batch(), and returns a table with its columns."""
    urls = table["url"].to_pylist()
    calls = (check_batch(urls[start : start + _BATCH], **options) for start in range(0, len(urls), _BATCH))
    return pa.concat_tables([SCHEMA.empty_table(), *(pa.Table.from_pydict(columns, schema=SCHEMA) for columns in calls)])


def written(folder: str) -> list[str]:
    """Returns the names of the Parquet files in a folder or below a URI such as s3://bucket/verdicts; none if it does not
    exist.

    A process that is killed while it writes to a folder leaves a truncated file, on which every reader fails. It is logged
    and renamed to `_NAME.truncated`, which readers of a folder skip; its sources count as not checked. Object stores show
    complete files only. Do not call this function while another process writes to the folder.
    """
    system, path = fs.FileSystem.from_uri(folder if "://" in folder else os.path.abspath(folder))
    complete = []
    for file in system.get_file_info(fs.FileSelector(path, allow_not_found=True)):
        if not file.is_file or file.extension != "parquet" or file.base_name.startswith(("_", ".")):
            continue
        name = f"{folder.rstrip('/')}/{file.base_name}"
        try:
            pq.read_metadata(file.path, filesystem=system)
            complete.append(name)
        except pa.ArrowInvalid as error:
            renamed = f"_{file.base_name}.truncated"
            system.move(file.path, f"{file.path.removesuffix(file.base_name)}{renamed}")
            _LOG.warning("%s is not complete and was renamed to %s: %s", name, renamed, error)
    return sorted(complete)
