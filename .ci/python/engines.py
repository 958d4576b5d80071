"""Compares the engine recipes with the command: the same rows, none missing or repeated, although a worker is killed.

    engines.py COMMAND ENGINE WORK [URLS] [FILES] [SECONDS UNTIL A WORKER IS KILLED, 0: none]

ENGINE is spark-local, spark-cluster, ray or dask. A web server on loopback serves the fixtures; files are copies of them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "python" / "examples"
IMAGES = ROOT / "fixtures" / "images"
BODIES = {f"/{path.relative_to(IMAGES)}": path.read_bytes() for path in sorted(IMAGES.rglob("*")) if path.is_file()}
PARTITIONS = "16"
# The command line of a process that runs checks.
WORKERS = {
    "spark-local": "pyspark.daemon",
    "spark-cluster": "pyspark.daemon",
    "ray": "MapBatches(check)",
    "dask": "multiprocessing.spawn",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A head and a body are two writes. The second would wait 40 ms for the acknowledgment of the first.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = BODIES.get(self.path.partition("?")[0], b"")
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            pass

    def log_message(self, *_arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_arguments: object) -> None:
        pass


def descendants(parent: int) -> list[tuple[int, str]]:
    """Processes that this script started, and their command lines."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [(int(pid), int(ppid), args) for pid, ppid, args in (line.split(None, 2) for line in listed.splitlines())]
    found, parents = [], {parent}
    while new := [(pid, args) for pid, ppid, args in rows if ppid in parents and pid not in parents]:
        found += new
        parents |= {pid for pid, _ in new}
    return found


def kill_one(root: int, pattern: str) -> bool:
    workers = [pid for pid, args in descendants(root) if pattern in args]
    if not workers:
        return False
    # The last one is a worker; the first may be the process that starts them.
    os.kill(workers[-1], signal.SIGKILL)
    return True


def engine_command(engine: str, arguments: list[str]) -> list[str]:
    binaries = Path(sys.executable).parent
    if engine.startswith("spark"):
        master = {"spark-local": "local[2,4]", "spark-cluster": "local-cluster[2,1,1024]"}[engine]
        bind = ["--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", "spark.driver.host=127.0.0.1"]
        submit = [str(binaries / "spark-submit"), "--master", master, *bind]
        return [*submit, str(EXAMPLES / "check_spark.py"), *arguments]
    return [sys.executable, str(EXAMPLES / f"check_{engine}.py"), *arguments]


def run(engine: str, arguments: list[str], kill_after: float | None) -> float:
    # Dask gives up if a worker ends before all have started. Its output has a folder then.
    started_by = Path(arguments[1]) if engine == "dask" else Path()
    environment = os.environ | {
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    started = time.monotonic()
    with subprocess.Popen(engine_command(engine, arguments), env=environment, stdout=subprocess.DEVNULL) as process:
        killed = kill_after is None
        while process.poll() is None:
            time.sleep(0.1)
            if not killed and time.monotonic() - started > (kill_after or 0) and started_by.exists():
                killed = kill_one(process.pid, WORKERS[engine])
    if process.returncode != 0:
        raise SystemExit(f"{engine}: ended with {process.returncode}")
    if not killed:
        raise SystemExit(f"{engine}: there was no worker to kill")
    return time.monotonic() - started


def rows(folder: Path) -> Counter[tuple[object, ...]]:
    table = pq.read_table(folder, columns=["source", "decision", "format", "width", "height"])
    return Counter(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


class Run:
    """One engine over one list: its rows are those of the command, and a restart adds none."""

    def __init__(self, command: str, engine: str, folder: Path, sources: list[str]) -> None:
        self.command, self.engine, self.folder, self.sources = command, engine, folder, sources
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"url": sources}), folder / "sources.parquet")
        (folder / "sources.txt").write_text("\n".join(sources))
        self.verdicts = folder / "verdicts.parquet"

    def expected(self, options: list[str]) -> Counter[tuple[object, ...]]:
        list_ = ["check", "--from", str(self.folder / "sources.txt"), "--format", "jsonl"]
        done = subprocess.run([self.command, *list_, *options], capture_output=True, check=False)
        keys = ["source", "decision", "format", "width", "height"]
        return Counter(tuple(json.loads(line)[key] for key in keys) for line in done.stdout.splitlines())

    def compare(self, expected: Counter[tuple[object, ...]], options: dict[str, object], kill_after: float | None) -> None:
        name = f"{self.engine}, {self.folder.name}"
        arguments = [str(self.folder / "sources.parquet"), str(self.verdicts), PARTITIONS, json.dumps(options)]
        took = run(self.engine, arguments, kill_after)
        found = rows(self.verdicts)
        differing = (found - expected) + (expected - found)
        print(f"{name}: {found.total()} rows in {took:.1f} s, start included; {differing.total()} differ from the command")
        again = run(self.engine, arguments, None)
        print(f"{name}: restarted in {again:.1f} s, {rows(self.verdicts).total()} rows")
        if differing or rows(self.verdicts) != expected or expected.total() != len(self.sources):
            raise SystemExit(f"{name}: not the rows of the command: {list(differing)[:5]}")

    def scan(self, allow: str) -> None:
        """Submits the accepted rows to the sandbox."""
        accepted = pq.read_table(self.verdicts, filters=[("decision", "=", "accept")])
        pq.write_table(accepted, self.folder / "accepted.parquet")
        options = ["--sandbox", "--checked-within", "24h", "--allow-address", allow, "--rate", "2000", "--format", "jsonl"]
        scan = [self.command, "scan", "--from", str(self.folder / "accepted.parquet"), *options]
        scanned = subprocess.run(scan, capture_output=True, check=False)
        if f"{len(accepted)} taken from the list's checks\n".encode() not in scanned.stderr:
            raise SystemExit(f"{self.engine}: not all accepted rows were taken: {scanned.stderr.decode()[-500:]}")
        print(f"{self.engine}: {len(accepted)} accepted rows submitted to the sandbox without another download")


def copies(folder: Path, count: int) -> list[str]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths, bodies = [], list(BODIES.items())
    for index in range(count):
        name, body = bodies[index % len(bodies)]
        paths.append(str(folder / f"{index:06}{Path(name).suffix}"))
        Path(paths[-1]).write_bytes(body)
    return paths


def main(
    command: str, engine: str, work: str, urls: str = "100000", files: str = "20000", kill_after: str = "15"
) -> None:
    folder, kill = Path(work) / engine, float(kill_after)
    images = Path(work) / "images"
    by_path = Run(command, engine, folder / "files", copies(images, int(files)))
    expected = by_path.expected(["--files-under", str(images)])
    # Files are read fast: a worker is killed as soon as there is one.
    by_path.compare(expected, {"files_under": [str(images)]}, 0.1 if kill else None)

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    allow, names = f"127.0.0.1/32:{port}", list(BODIES)
    texts = [f"http://127.0.0.1:{port}{names[index % len(names)]}?{index}" for index in range(int(urls))]
    by_url = Run(command, engine, folder / "urls", texts)
    expected = by_url.expected(["--probe", "header", "--allow-address", allow])
    by_url.compare(expected, {"allow_address": [allow]}, kill or None)
    by_url.scan(allow)


if __name__ == "__main__":
    main(*sys.argv[1:])
