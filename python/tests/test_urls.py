from __future__ import annotations

import csv
import itertools
import json
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import greenlight_image as g
import pytest

if TYPE_CHECKING:
    from conftest import Site

GOOD = "png/rgb.png"


@pytest.mark.parametrize("mode", ["full", "header"])
def test_verdicts_are_in_the_order_of_the_urls(site: Site, mode: str) -> None:
    urls = [site.url(f"{GOOD}?wait={0.3 if index == 0 else 0}") for index in range(20)]
    urls += [site.url("none.png"), "not a URL", "ftp://host/image.png", site.url(GOOD)]
    verdicts = list(g.check_urls(urls, mode=mode, allow_address=site.allow))  # type: ignore[arg-type]
    assert [verdict.source for verdict in verdicts] == urls
    assert [verdict.accepted for verdict in verdicts] == [True] * 20 + [False] * 3 + [True]
    codes = [verdict.violations[0].code for verdict in verdicts if not verdict]
    assert codes == ["download/status", "url/malformed", "url/scheme"]
    download = verdicts[0].download
    assert download is not None
    assert download.status in (200, 206)
    assert download.elapsed_ms >= 290


def test_addresses_that_are_not_public_are_refused_by_default(site: Site) -> None:
    [verdict] = g.check_urls([site.url(GOOD)])
    assert verdict.decision == "reject"
    [violation] = verdict.violations
    assert violation.code == "url/private-address"
    assert site.requests == []
    [metadata] = g.check_urls(["http://169.254.169.254/latest"], allow_address=["169.254.0.0/16"])
    assert metadata.decision == "reject"


def test_an_endless_iterable_is_read_only_as_far_as_needed(site: Site) -> None:
    taken = itertools.count()
    urls = (site.url(GOOD) for _ in taken)
    with g.check_urls(urls, allow_address=site.allow, concurrency=2) as checks:
        for _ in range(5):
            assert next(checks).accepted
    assert next(taken) <= 5 + 2 * 8 + 1
    assert list(checks) == []


def test_an_exception_of_the_iterable_comes_after_the_verdicts_before(site: Site) -> None:
    def urls() -> Iterator[str]:
        yield site.url(GOOD)
        raise LookupError("the database is gone")

    checks = g.check_urls(urls(), allow_address=site.allow)
    assert next(checks).accepted
    with pytest.raises(LookupError, match="gone"):
        next(checks)
    assert list(checks) == []
    with pytest.raises(TypeError):
        list(g.check_urls([3], allow_address=site.allow))  # type: ignore[list-item]


def test_options_that_are_not_usable_are_refused() -> None:
    with pytest.raises(TypeError, match="concurency"):
        g.check_urls([], concurency=3)  # type: ignore[call-arg]
    for options in ({"concurrency": 0}, {"mode": "half"}, {"deadline": -1}, {"allow_address": ["here"]}):
        with pytest.raises(ValueError):
            g.check_urls([], **options)
    with pytest.raises(OSError):
        g.check_urls([], files_under=["/no/such/folder"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"concurrency": -1}, "concurrency: must not be negative: -1"),
        ({"concurrency": 0}, "probe cannot be set up: concurrency must be from 1 to "),
        ({"concurrency_per_host": 0}, "probe cannot be set up: concurrency per host must be from 1 to "),
        ({"concurrency_per_host": 2**64}, "probe cannot be set up: concurrency per host must be from 1 to "),
        ({"max_redirects": -(2**70)}, "max_redirects: must not be negative: -"),
        ({"deadline": -0.5}, "deadline: must be from 0 to 1.8e19 seconds: -0.5"),
        ({"deadline": math.nan}, "deadline: must be from 0 to 1.8e19 seconds: nan"),
        ({"deadline": math.inf}, "deadline: must be from 0 to 1.8e19 seconds: inf"),
        ({"pace_per_host": 1e300}, "pace_per_host: must be from 0 to 1.8e19 seconds: 1e+300"),
        ({"pace_per_host": 10**5000}, "pace_per_host: must be from 0 to 1.8e19 seconds"),
    ],
)
def test_a_number_out_of_range_is_a_valueerror(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        g.check_urls([], **options)


def test_numbers_above_those_of_the_machine_are_accepted_where_there_is_no_limit() -> None:
    assert list(g.check_urls([], max_redirects=2**64, deadline=1e19, pace_per_host=2**63)) == []


@pytest.mark.parametrize(
    "options, message",
    [
        ({"requirements": "sync"}, "requirements: expected Requirements or None, not str"),
        ({"mode": 3}, "mode: expected a str, not int"),
        ({"depth": None}, "depth: expected a str, not NoneType"),
        ({"concurrency": "8"}, "concurrency: expected an int, not str"),
        ({"concurrency_per_host": 1.5}, "concurrency_per_host: expected an int, not float"),
        ({"max_redirects": None}, "max_redirects: expected an int, not NoneType"),
        ({"deadline": "7"}, "deadline: expected a number of seconds, not str"),
        ({"user_agent": b"x"}, "user_agent: expected a str or None, not bytes"),
        ({"headers": ["a"]}, "headers: expected a dict of str to str, not list"),
        ({"headers": {"a": 1}}, "headers: expected a dict of str to str, not one with int"),
        ({"allow_address": "127.0.0.1/32"}, "allow_address: expected a list of str, not str"),
        ({"deny_address": [3]}, "deny_address: expected a list of str, not one with int"),
        ({"files_under": "/srv"}, "files_under: expected a list of paths, not str"),
        ({"files_under": [3]}, "files_under: expected a list of paths, not one with int"),
    ],
)
def test_an_option_of_another_type_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        g.check_urls([], **options)


def test_one_url_is_not_taken_for_a_list() -> None:
    url = "http://127.0.0.1"
    sources: list[Any] = [url, url.encode(), bytearray(url.encode())]
    for source in sources:
        kind = type(source).__name__
        with pytest.raises(TypeError, match=f"^urls: expected an iterable of str, not {kind}: put one URL into a list$"):
            g.check_urls(source)
        with pytest.raises(TypeError, match=f"^sources: expected a list of str or None, not {kind}: put one URL into a list$"):
            g.check_batch(source)
    with pytest.raises(TypeError, match="^urls: expected an iterable of str, not int$"):
        g.check_urls(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^sources: expected a list of str or None, not int$"):
        g.check_batch(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^sources: expected a list of str or None, not one with int$"):
        g.check_batch([url, 3])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^urls: expected a str, not int$"):
        list(g.check_urls(["no URL", 3]))  # type: ignore[list-item]
    pair: Any = (url, url)
    assert g.check_batch(pair)["source"] == [url, url]


def test_a_password_is_not_in_the_verdict(site: Site) -> None:
    url = f"http://me:word@127.0.0.1:{site.port}/{GOOD}"
    [verdict] = g.check_urls([url], allow_address=site.allow)
    assert verdict.source == url.replace("me:word", "***")


def test_ctrl_c_ends_a_wait_at_once(site: Site) -> None:
    program = (
        "import signal, sys, greenlight_image as g\n"
        # A parent in the background may have it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('begun', flush=True)\n"
        "list(g.check_urls([sys.argv[1]], allow_address=[sys.argv[2]], deadline=30))\n"
    )
    arguments = [sys.executable, "-c", program, site.url(f"{GOOD}?wait=20"), site.allow[0]]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        while not site.requests:
            time.sleep(0.01)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=15)
        elapsed = time.monotonic() - started
    assert b"KeyboardInterrupt" in stderr
    assert elapsed < 5, elapsed


def test_the_lock_is_released_while_waiting(site: Site) -> None:
    steps = 0
    done = threading.Event()

    def count() -> None:
        nonlocal steps
        while not done.wait(0.001):
            steps += 1

    thread = threading.Thread(target=count)
    thread.start()
    list(g.check_urls([site.url(f"{GOOD}?wait=0.5")], allow_address=site.allow))
    done.set()
    thread.join()
    assert steps > 20


def accepted_in_child(url: str, allow: str) -> bool:
    return next(g.check_urls([url], allow_address=[allow])).accepted


def test_a_fork_after_a_check_has_threads_of_its_own(site: Site) -> None:
    url, [allow] = site.url(GOOD), site.allow
    assert accepted_in_child(url, allow)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.starmap_async(accepted_in_child, [(url, allow)] * 4)
        assert results.get(timeout=30) == [True] * 4
    assert accepted_in_child(url, allow)


def test_a_batch_is_columns_with_a_row_for_each_source(site: Site, images: Path) -> None:
    urls = [site.url(GOOD), site.url("jpeg/too-small.jpg"), "not a URL", site.url(GOOD)]
    columns = g.check_batch(urls, allow_address=site.allow)
    assert list(columns)[:10] == [
        "source", "decision", "codes", "format", "width", "height", "bytes", "frames", "elapsed_ms",
        "version",
    ]  # fmt: skip
    assert columns["source"] == urls
    assert columns["decision"] == ["accept", "reject", "reject", "accept"]
    assert columns["codes"][0] == [] and "image/too-small" in columns["codes"][1]
    assert columns["format"] == ["png", "jpeg", None, "png"]
    assert columns["width"][0] == columns["height"][0] == 256
    assert columns["bytes"][0] == (images / GOOD).stat().st_size
    assert columns["elapsed_ms"][2] is None and columns["elapsed_ms"][0] is not None
    assert columns["version"] == [g.__version__] * 4
    assert columns["requirements"] == [g.Requirements().fingerprint] * 4
    assert abs(columns["checked_at"][0] / 1000 - time.time()) < 60
    assert {len(column) for column in columns.values()} == {4}  # type: ignore[arg-type]
    assert all(column == [] for column in g.check_batch([]).values())


def test_a_row_without_a_source_does_not_fail_its_batch(site: Site) -> None:
    sources = [None, site.url(GOOD), "", " ", None]
    columns = g.check_batch(sources, allow_address=site.allow)
    assert columns["source"] == sources
    assert columns["decision"] == ["inconclusive", "accept", "inconclusive", "reject", "inconclusive"]
    none = "no source in this row"
    assert columns["error"] == [none, None, none, None, none]
    assert columns["codes"] == [[], [], [], ["url/malformed"], []]
    assert columns["format"] == [None, "png", None, None, None]
    assert columns["version"] == [g.__version__] * 5
    assert {len(column) for column in columns.values()} == {5}  # type: ignore[arg-type]
    # With folders, an empty text would be a path.
    assert g.check_batch(["", None], files_under=["/"])["error"] == [none, none]


def test_a_batch_is_a_list_of_checks_for_the_command(site: Site, command: str, tmp_path: Path) -> None:
    urls = [site.url(GOOD), site.url("jpeg/too-small.jpg")]
    columns = g.check_batch(urls, allow_address=site.allow)
    names = [name for name in columns if name != "codes"]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)]  # type: ignore[literal-required]
    lists = [tmp_path / "checked.jsonl", tmp_path / "checked.csv"]
    lists[0].write_text("".join(json.dumps(row) + "\n" for row in rows))
    with lists[1].open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    for path in lists:
        before = len(site.requests)
        options = ["--checked-within", "1h", "--allow-address", *site.allow, "--format", "jsonl"]
        run = subprocess.run([command, "scan", "--sandbox", "--from", path, *options], capture_output=True, check=False)
        outcomes = [json.loads(line)["outcome"] for line in run.stdout.splitlines()]
        assert outcomes == ["pass", "not-submitted"], run
        assert b"1 taken from the list's checks, 1 probed" in run.stderr, run
        asked = [path for path in site.requests[before:] if "too-small" not in path]
        assert asked == [], "only the rejected row is probed"


def test_a_batch_reads_files_below_given_folders_only(images: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes((images / GOOD).read_bytes())
    paths = [str(images / GOOD), str(outside), str(images / "none.png")]
    columns = g.check_batch(paths, files_under=[images])
    assert columns["decision"] == ["accept", "reject", "inconclusive"]
    assert columns["codes"][1] == ["file/outside"]
    assert (columns["error"][2] or "").startswith("cannot read")
    without = g.check_batch(paths)
    assert without["decision"] == ["reject"] * 3
    assert os.path.exists(outside)
