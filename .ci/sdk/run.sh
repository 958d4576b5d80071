#!/usr/bin/env bash
# Calls every operation of `greenlight sandbox` with the official clients, with permanent and temporary credentials.
#
#   .ci/sdk/run.sh [BINARY]    default: target/debug/greenlight
#
# Installs the clients below target/sdk. Fails at the first difference.
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=$(realpath "${1:-target/debug/greenlight}")
scripts=$(realpath .ci/sdk)
work=target/sdk
mkdir -p "$work"

if [ ! -x "$work/python/bin/python" ]; then
  python3 -m venv "$work/python"
fi
"$work/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$scripts/requirements.txt"
cp "$scripts/package.json" "$work/"
(cd "$work" && npm install --silent --no-audit --no-fund --no-package-lock)

sandbox=
stop() {
  if [ -n "$sandbox" ]; then
    kill "$sandbox" 2>/dev/null || true
    wait "$sandbox" 2>/dev/null || true
    sandbox=
  fi
}
trap stop EXIT

# start KEY: sets `address` to HOST:PORT.
start() {
  local said="$work/sandbox.out"
  : >"$said"
  "$binary" sandbox --listen 127.0.0.1:0 --polls 1 --key "$1" >"$said" &
  sandbox=$!
  for _ in $(seq 100); do
    address=$(grep -o -m1 'http://[0-9.:]*' "$said" || true)
    address=${address#http://}
    if [ -n "$address" ]; then
      return
    fi
    kill -0 "$sandbox"
    sleep 0.1
  done
  echo "the sandbox did not print its address" >&2
  return 1
}

# These variables would take precedence over the keys passed here.
unset ALIYUN_ACCESS_KEY_ID ALIYUN_ACCESS_KEY_SECRET http_proxy HTTP_PROXY

id=LTAIinventedKeyForTests
secret=inventedSecretForTests0
token='CAISinvented/Token+with==specials='
for key in "$id:$secret" "STS.$id:$secret:$token"; do
  start "$key"
  IFS=: read -ra parts <<<"$key"
  "$work/python/bin/python" "$scripts/operations.py" "${address%:*}" "${address##*:}" "${parts[@]}"
  "$work/python/bin/python" "$scripts/operations_v2.py" "${address%:*}" "${address##*:}" "${parts[@]}"
  (cd "$work" && node "$scripts/operations.mjs" "http://$address" "${parts[@]}")
  stop
done
