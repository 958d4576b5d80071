#!/usr/bin/env bash
# Sends forms with an image of 2 MB over 256 connections to `greenlight serve`, and in turns to axum's `Multipart`, which
# drops what it reads. Prints both throughputs, their ratio and the largest memory of the server. It is not part of .ci/run,
# because its figures depend on the machine. Needs wrk (Debian: apt-get install wrk).
#
#   .ci/serve/load.sh [BINARY]    default: target/release/greenlight; SECONDS_OF_LOAD=600, half of it for each; ROUNDS=5
#
# Exits with 1 if the ratio is below 0.9 or the memory above 128 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=$(realpath "${1:-target/release/greenlight}")
seconds=${SECONDS_OF_LOAD:-600}
rounds=${ROUNDS:-5}
work=target/serve
mkdir -p "$work"

# The peer is a role of the benchmarks' program, which is built as they are.
peer=$(cargo bench --quiet --locked --all-features --bench suite --no-run --message-format json |
  python3 -c 'import json, sys
built = [m for m in map(json.loads, sys.stdin) if m.get("executable")]
print(*[m["executable"] for m in built if m["target"]["name"] == "suite"])')

# A PNG with a private chunk of 2 MB, in a form.
python3 - "$work/form" <<'PYTHON'
import struct, sys, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

rows = b"".join(b"\0" + bytes(300) for _ in range(300))
image = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 300, 8, 0, 0, 0, 0))
         + chunk(b"fiLl", bytes(2_000_000)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
with open(sys.argv[1], "wb") as file:
    file.write(b'--xYzZY\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
               + image + b"\r\n--xYzZY--\r\n")
PYTHON
cat >"$work/upload.lua" <<LUA
local file = io.open("$work/form", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "multipart/form-data; boundary=xYzZY"
-- Threads have interpreters of their own.
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() failed = 0 end
function response(status, headers, body)
  if status ~= 200 or (body ~= "" and not body:find('"decision":"accept"')) then failed = failed + 1 end
end
function done(summary, latency)
  local failures = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do failures = failures + thread:get("failed") end
  io.write(string.format("result %d %d %d\n", summary.requests, summary.duration, failures))
end
LUA

"$binary" serve --no-config --quiet --listen 127.0.0.1:0 --max-in-flight 1GiB >"$work/stdout" &
server=$!
# The peer ends with its standard input.
mkfifo -m 600 "$work/stdin.$$"
"$peer" child-process upload <"$work/stdin.$$" >"$work/peer" &
axum=$!
exec 3>"$work/stdin.$$"
rm "$work/stdin.$$"
trap 'kill "$server"; exec 3>&-' EXIT
url=
address=
while [ -z "$url" ] || [ -z "$address" ]; do
  kill -0 "$server"
  kill -0 "$axum"
  sleep 0.1
  url=$(sed -n 's/^listening on //p' "$work/stdout")
  address=$(head -n 1 "$work/peer")
done

# load URL: adds the figures of one run to the file of its name.
load() {
  wrk --threads 2 --connections 256 --duration "$((seconds / 2 / rounds))s" --timeout 60s --script "$work/upload.lua" "$1" |
    sed -n 's/^result //p' >>"$work/$2"
}
rm -f "$work/greenlight" "$work/axum"
for _ in $(seq "$rounds"); do
  load "$url/v1/check" greenlight
  load "http://$address/axum" axum
done
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$server/status")
python3 - "$work" "$peak" <<'PYTHON'
import sys

def rates(name):
    with open(f"{sys.argv[1]}/{name}") as file:
        runs = [list(map(int, line.split())) for line in file]
    failures = sum(run[2] for run in runs)
    assert failures == 0, f"{name}: {failures} requests failed"
    return [requests / (micros / 1e6) for requests, micros, _ in runs]

ours, peer = rates("greenlight"), rates("axum")
ratios = sorted(a / b for a, b in zip(ours, peer))
ratio = ratios[len(ratios) // 2]
peak = int(sys.argv[2]) / 1024
print("greenlight, uploads per second:", *(f"{rate:.0f}" for rate in ours))
print("axum's Multipart:              ", *(f"{rate:.0f}" for rate in peer))
print(f"ratio, median of the rounds: {ratio:.3f}; largest memory of the server: {peak:.0f} MB")
sys.exit(ratio < 0.9 or peak > 128)
PYTHON
