#!/usr/bin/env bash
# A page in a real browser: Debian's Chromium, driven by a script.
#
#   .ci/browser/run.sh page SERVER [FOLDER]     e.g. target/debug/examples/upload_server docs/screens
#   .ci/browser/run.sh report BINARY [FOLDER]   e.g. target/debug/greenlight docs/screens
#
# Installs its driver, which brings no browser, below target/browser.
set -euo pipefail
script=$1
program=$(realpath "$2")
folder=${3:+$(realpath -m "$3")}
cd "$(dirname "$0")/../.."

work=target/browser
mkdir -p "$work"
cp .ci/browser/package.json .ci/browser/*.mjs "$work/"
cd "$work"
npm install --silent --no-audit --no-fund --no-package-lock

profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
node "$script.mjs" "$program" "$profile" ${folder:+"$folder"}
