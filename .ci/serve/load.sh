#!/usr/bin/env bash
# Sends uploads of 2 MB over 256 connections to `greenlight serve`, and prints the throughput and the largest memory. It is
# not part of .ci/run, because its figures depend on the machine. Needs wrk (Debian: apt-get install wrk).
#
#   .ci/serve/load.sh [BINARY]    default: target/release/greenlight; SECONDS_OF_LOAD=600
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=$(realpath "${1:-target/release/greenlight}")
work=target/serve
mkdir -p "$work"

# A PNG with a private chunk of 2 MB.
python3 - "$work/image.png" <<'PYTHON'
import struct, sys, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

rows = b"".join(b"\0" + bytes(300) for _ in range(300))
with open(sys.argv[1], "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 300, 8, 0, 0, 0, 0))
               + chunk(b"fiLl", bytes(2_000_000)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PYTHON
cat >"$work/upload.lua" <<LUA
local file = io.open("$work/image.png", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "image/png"
function response(status, headers, body)
  if status ~= 200 or not body:find('"decision":"accept"') then print(status, body) end
end
LUA

"$binary" serve --no-config --quiet --listen 127.0.0.1:0 --max-in-flight 1GiB >"$work/stdout" &
server=$!
trap 'kill "$server"' EXIT
url=
while [ -z "$url" ]; do
  sleep 0.1
  url=$(sed -n 's/^listening on //p' "$work/stdout")
done
wrk --threads 2 --connections 256 --duration "${SECONDS_OF_LOAD:-600}s" --timeout 60s --script "$work/upload.lua" "$url/v1/check"
grep -E 'VmHWM|VmRSS' "/proc/$server/status"
