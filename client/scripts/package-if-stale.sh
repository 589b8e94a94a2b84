#!/usr/bin/env bash
# Builds client/gradsight.vsix unless it is newer than everything that goes into it.
set -euo pipefail
client="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$client"

if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "installing the client's build tools" >&2
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
fi

inputs=(src media python scripts package.json package-lock.json esbuild.mjs .vscodeignore README.md CHANGELOG.md LICENSE ../server)
if [ -f gradsight.vsix ] && [ -z "$(find "${inputs[@]}" -type f -newer gradsight.vsix -not -name '*.pyc' -print -quit)" ]; then
  exit 0
fi
echo "building client/gradsight.vsix" >&2
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
npm run --silent package >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
