#!/usr/bin/env bash
# Builds greenlight.wasm from the crate in wasm/.
#
#   npm/build.sh              up to structure depth
#   npm/build.sh --payload    with payload depth, a third larger
#
# With WASM_SYSTEM_RUST set the compiler is /usr/bin/rustc and std is built from its sources (Debian's rustc-web,
# cargo-web, rust-web-src, lld-19); otherwise it is rustup's, with the target wasm32-unknown-unknown.
# wasm-opt (npm's `binaryen`) makes the file about 5 % smaller, if it is in PATH or in WASM_OPT.
set -euo pipefail
cd "$(dirname "$0")/wasm"

features=()
[ "${1:-}" != --payload ] || features=(--features payload)
target=wasm32-unknown-unknown
out=${CARGO_TARGET_DIR:=$(realpath -m ../../target/wasm)}
export CARGO_TARGET_DIR
# The manifest's `panic-immediate-abort` is not stable yet.
export RUSTC_BOOTSTRAP=1
flags='-C target-feature=+simd128'
cargo=(cargo)
if [ -n "${WASM_SYSTEM_RUST:-}" ]; then
  mkdir -p "$out/bin"
  ln -sf "$(command -v wasm-ld-19 || command -v wasm-ld)" "$out/bin/wasm-ld" # cargo wants this name
  export RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$out/bin/wasm-ld
  flags="-C linker-flavor=wasm-ld $flags"
  cargo=(/usr/bin/cargo)
fi
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags
# A panic aborts: std is built for that too, which needs the component rust-src.
"${cargo[@]}" build --release --target "$target" "${features[@]}" \
  -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size

built=$out/$target/release/greenlight_wasm.wasm
optimizer=${WASM_OPT:-$(command -v wasm-opt || true)}
if [ -n "$optimizer" ]; then
  "$optimizer" -Os --enable-simd --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int \
    --enable-mutable-globals --enable-reference-types --enable-multivalue "$built" -o ../greenlight.wasm
else
  cp "$built" ../greenlight.wasm
  echo "wasm-opt is not installed: the file is larger than it could be" >&2
fi
wc -c ../greenlight.wasm
