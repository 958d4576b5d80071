from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import greenlight_image as g
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from greenlight_image import tables

if TYPE_CHECKING:
    from conftest import Site

GOOD = "png/rgb.png"


@pytest.mark.parametrize(
    "url, text, host",
    [
        ("http://a.example/1", "http://a.example/1", "a.example"),
        ("  HTTP://A.Example:80/1\t", "HTTP://A.Example:80/1", "a.example"),
        ("https://a.example:8443?q", "https://a.example:8443?q", "a.example"),
        ("https://me:p@ss@a.example#x", "https://me:p@ss@a.example#x", "a.example"),
        ("http://[2001:db8::1]:80/1", "http://[2001:db8::1]:80/1", "[2001:db8::1]"),
        ("/data/ a@b.png ", "/data/ a@b.png ", "/data/ a@b.png "),
        ("  ", "  ", "  "),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_urls_of_a_host_have_one_key(url: str | None, text: str, host: str) -> None:
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    for kind in kinds:
        column = pa.array([url], pa.string()).cast(kind)
        table = tables.sources(pa.table({"link": column}), "link")
        assert table.to_pydict() == {"url": [text], "host": [host]}, kind
        assert table.schema.types == [pa.string()] * 2


def test_a_list_of_nulls_is_a_list_of_empty_texts() -> None:
    assert tables.sources(pa.table({"url": pa.nulls(2)})).to_pydict() == {"url": ["", ""], "host": ["", ""]}


def test_a_checked_table_has_a_row_for_each_source(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_BATCH", 3)
    urls = [site.url(f"{GOOD}?wait=0.0{index + 1}") for index in range(6)] + [""]
    table = tables.check(pa.table({"url": urls}), mode="header", allow_address=site.allow)
    assert table.schema == tables.SCHEMA
    assert table["source"].to_pylist() == urls
    assert table["decision"].to_pylist() == ["accept"] * 6 + ["inconclusive"]
    times = table["checked_at"].to_pylist()
    assert times[0] == times[2] < times[3] == times[5] < times[6], "each call has its time"
    assert tables.check(pa.table({"url": pa.array([], pa.string())})).schema == tables.SCHEMA


def test_the_schema_has_the_columns_of_a_batch() -> None:
    assert tables.SCHEMA.names == list(g.check_batch([]))


def test_nothing_is_written_in_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    for folder in (str(tmp_path / "none"), (tmp_path / "none").as_uri()):
        assert tables.written(folder) == []


def test_truncated_files_are_renamed_and_the_others_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pq.write_table(tables.check(pa.table({"url": ["no URL", ""]})), tmp_path / "1.parquet")
    whole = (tmp_path / "1.parquet").read_bytes()
    (tmp_path / "4.parquet").write_bytes(whole)
    (tmp_path / "2.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "3.parquet").touch()
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "_5.parquet").touch()  # a hidden file, of another program
    monkeypatch.chdir(tmp_path.parent)
    for folder in (tmp_path.name, str(tmp_path), f"{tmp_path.as_uri()}/"):
        assert tables.written(folder) == [f"{folder.rstrip('/')}/{name}.parquet" for name in (1, 4)]
    names = sorted(path.name for path in tmp_path.iterdir())
    truncated = ["_2.parquet.truncated", "_3.parquet.truncated"]
    assert names == ["1.parquet", "4.parquet", *truncated, "_5.parquet", "_SUCCESS"]
    messages = sorted(record.getMessage().split(": ")[0] for record in caplog.records)
    renamed = "is not complete and was renamed to"
    assert messages == [f"{tmp_path.name}/{name[1:10]} {renamed} {name}" for name in truncated]
    # Readers that take every file of the folder work again.
    assert pq.read_table(tmp_path, columns=["decision"]).num_rows == 4
