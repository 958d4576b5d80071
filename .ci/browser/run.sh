#!/usr/bin/env bash
# The upload server's page in a real browser: Debian's Chromium, driven by a script.
#
#   .ci/browser/run.sh SERVER [SCREENSHOT]    e.g. target/debug/examples/upload_server docs/upload-page.png
#
# Installs its driver, which brings no browser, below target/browser.
set -euo pipefail
server=$(realpath "$1")
screenshot=${2:+$(realpath -m "$2")}
cd "$(dirname "$0")/../.."

work=target/browser
mkdir -p "$work"
cp .ci/browser/package.json .ci/browser/page.mjs "$work/"
cd "$work"
npm install --silent --no-audit --no-fund --no-package-lock

profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
node page.mjs "$server" "$profile" ${screenshot:+"$screenshot"}
