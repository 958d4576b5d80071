#!/usr/bin/env bash
# The Python package: builds the wheel, installs it into a new virtual environment, runs its tests, compares it with the
# command, and checks the type stubs.
#
#   .ci/python/run.sh [BINARY]    default: target/debug/greenlight
#
# Set GREENLIGHT_CORPUS to a folder of images to compare the verdicts of these too.
set -euo pipefail
cd "$(dirname "$0")/../.."

GREENLIGHT_BINARY=$(realpath "${1:-target/debug/greenlight}")
export CI_PYTHON=1 GREENLIGHT_BINARY
# The folder and the code generation of the other builds, so that their dependencies are used; without link-time
# optimization, which is for the published wheels only.
export CARGO_TARGET_DIR=$PWD/target CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export CARGO_PROFILE_RELEASE_STRIP=debuginfo
work=$PWD/target/python-ci
requirements=$(realpath .ci/python/requirements.txt)

cargo fmt --check --manifest-path python/Cargo.toml
cargo clippy --quiet --locked --manifest-path python/Cargo.toml -- -D warnings

rm -rf "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
# The wheel is built from the source distribution, so that both are tested.
(cd python && "$work/venv/bin/maturin" build --release --locked --sdist --out "$work/dist")
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-index "$work"/dist/*.whl

# Outside python/, so that the installed package is imported and not its source folder.
mkdir "$work/run"
cd "$work/run"
"$work/venv/bin/python" -m pytest --quiet --rootdir ../../../python -p no:cacheprovider ../../../python/tests
"$work/venv/bin/python" -m mypy.stubtest --allowlist ../../../.ci/python/stubtest-allowlist greenlight_image
"$work/venv/bin/python" -m mypy --strict --package greenlight_image
"$work/venv/bin/python" -m mypy --strict ../../../python/tests ../../../python/examples/upload_flask.py \
  ../../../python/examples/upload_fastapi.py
