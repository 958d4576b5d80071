"""Compares the engine recipes with the command: the same rows, none missing or repeated, although a worker is killed.

    engines.py COMMAND ENGINE WORK [URLS] [SECONDS UNTIL A WORKER IS KILLED, 0: none]

ENGINE is spark-local, spark-cluster, ray or dask. A web server on loopback serves the fixtures.
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
    "ray": "ray::MapBatches",
    "dask": "multiprocessing.spawn",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

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
            if not killed and time.monotonic() - started > (kill_after or 0):
                killed = kill_one(process.pid, WORKERS[engine])
    if process.returncode != 0:
        raise SystemExit(f"{engine}: ended with {process.returncode}")
    if not killed:
        raise SystemExit(f"{engine}: there was no worker to kill")
    return time.monotonic() - started


def rows(folder: Path) -> Counter[tuple[object, ...]]:
    table = pq.read_table(folder, columns=["source", "decision", "format", "width", "height"])
    return Counter(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def main(command: str, engine: str, work: str, urls: str = "100000", kill_after: str = "15") -> None:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    allow = f"127.0.0.1/32:{port}"
    folder = Path(work) / engine
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = list(BODIES)
    texts = [f"http://127.0.0.1:{port}{names[index % len(names)]}?{index}" for index in range(int(urls))]
    pq.write_table(pa.table({"url": texts}), folder / "urls.parquet")
    (folder / "urls.txt").write_text("\n".join(texts))

    options = ["--from", str(folder / "urls.txt"), "--probe", "header", "--allow-address", allow, "--format", "jsonl"]
    printed = subprocess.run([command, "check", *options], capture_output=True, check=False).stdout.splitlines()
    keys = ["source", "decision", "format", "width", "height"]
    expected = Counter(tuple(json.loads(line)[key] for key in keys) for line in printed)

    out = folder / "verdicts.parquet"
    arguments = [str(folder / "urls.parquet"), str(out), PARTITIONS, allow]
    took = run(engine, arguments, float(kill_after) or None)
    differing = (rows(out) - expected) + (expected - rows(out))
    print(f"{engine}: {rows(out).total()} rows in {took:.1f} s, start included; {differing.total()} differ from the command")
    accepted = pq.read_table(out, filters=[("decision", "=", "accept")])
    pq.write_table(accepted, folder / "accepted.parquet")
    options = ["--sandbox", "--checked-within", "24h", "--allow-address", allow, "--format", "jsonl"]
    scan = [command, "scan", "--from", str(folder / "accepted.parquet"), *options]
    scanned = subprocess.run(scan, capture_output=True, check=False)
    if f"{len(accepted)} taken from the list's checks\n".encode() not in scanned.stderr:
        raise SystemExit(f"{engine}: not all accepted rows were taken: {scanned.stderr.decode()[-500:]}")
    print(f"{engine}: {len(accepted)} accepted rows submitted to the sandbox without another download")
    again = run(engine, arguments, None)
    print(f"{engine}: restarted in {again:.1f} s, {rows(out).total()} rows")
    if differing or rows(out) != expected or expected.total() != int(urls):
        raise SystemExit(f"{engine}: not the rows of the command: {list(differing)[:5]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
