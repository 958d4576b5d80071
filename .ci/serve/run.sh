#!/usr/bin/env bash
# Compares `greenlight serve` with its OpenAPI document, verifies a webhook with the library of the Standard Webhooks
# specification, and runs the clients of docs/serve.md whose runtime is installed.
#
#   .ci/serve/run.sh [BINARY]    default: target/debug/greenlight
#
# Installs schemathesis and standardwebhooks below target/serve.
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=$(realpath "${1:-target/debug/greenlight}")
work=target/serve
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then python3 -m venv "$work/venv"; fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'schemathesis==4.32.5' 'standardwebhooks==1.1.0'

server=
stop() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
  fi
}
trap stop EXIT

# start OPTION...: sets `url`.
start() {
  : >"$work/stdout"
  "$binary" serve --no-config --listen 127.0.0.1:0 "$@" >"$work/stdout" 2>"$work/stderr" &
  server=$!
  for _ in $(seq 100); do
    url=$(sed -n 's/^listening on //p' "$work/stdout")
    if [ -n "$url" ]; then
      return
    fi
    kill -0 "$server"
    sleep 0.1
  done
  echo "the server did not print its address" >&2
  return 1
}

# Without `positive_data_acceptance`: which values of a query are accepted depends on the server's limits.
for options in "" "--sandbox"; do
  # shellcheck disable=SC2086
  start $options
  "$work/venv/bin/schemathesis" run "$url/openapi.json" --checks all --exclude-checks positive_data_acceptance \
    --max-examples 25 --seed 1 --request-timeout 60 --no-color >"$work/schemathesis.log" 2>&1 || {
    tail -n 150 "$work/schemathesis.log" >&2
    exit 1
  }
  tail -n 4 "$work/schemathesis.log"
  stop
done

# The receiver has the first outcome of a scan.
printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64)" >"$work/secrets"
"$work/venv/bin/python" .ci/serve/webhook.py "$work/secrets" >"$work/webhook" &
receiver=$!
until [ -s "$work/webhook" ]; do sleep 0.1; done
start --sandbox --webhook "http://127.0.0.1:$(head -n 1 "$work/webhook")/" --webhook-secret-file "$work/secrets"
curl --silent --show-error --fail --data-binary @fixtures/images/png/rgb.png -H 'Content-Type: image/png' \
  "$url/v1/scan?wait=30" >"$work/scan"
wait "$receiver"
echo "webhook: $(tail -n 1 "$work/webhook")"
[ "$(tail -n 1 "$work/webhook")" = "scan.final pass" ]
stop

# client NAME FILE COMMAND...: runs the block of docs/serve.md in this language.
client() {
  local language=$1 file=$2
  shift 2
  if ! command -v "$1" >/dev/null; then
    echo "$language: $1 is not installed"
    return
  fi
  sed -n "/^\`\`\`$language\$/,/^\`\`\`\$/p" docs/serve.md | sed '1d;$d' >"$work/$file"
  local good bad
  good=$("$@" "$work/$file" fixtures/images/png/rgb.png)
  bad=$("$@" "$work/$file" docs/serve.md)
  echo "$language: $good $bad"
  [ "$good $bad" = "accept reject" ]
}

start
export GREENLIGHT_URL=$url
client python check.py python3
client javascript check.cjs node
client java Check.java java
