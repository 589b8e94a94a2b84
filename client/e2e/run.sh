#!/usr/bin/env bash
# The end-to-end test in a real VS Code, in one command: builds what is stale, sets up what is missing, runs, cleans up.
#
#   client/e2e/run.sh               run the test
#   client/e2e/run.sh --pictures    also write the pictures of the README (docs/images) and of the walkthrough (client/media)
#   client/e2e/run.sh NAME...       only tests whose name matches
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
client="$root/client"
python="${GRADSIGHT_PYTHON:-$root/.venv/bin/python}"

[ -x "$python" ] || {
  echo "end-to-end test: $python is missing; run make setup first (or set GRADSIGHT_PYTHON)." >&2
  exit 2
}

patterns=()
for argument in "$@"; do
  case "$argument" in
  --pictures) export GRADSIGHT_PICTURES="$root/docs/images" GRADSIGHT_MEDIA="$client/media" ;;
  *) patterns+=(--test-name-pattern "$argument") ;;
  esac
done

"$root/tools/codeserver/setup.sh"
"$client/scripts/package-if-stale.sh"

cd "$client"
# No test may hang: each has its limit, the run as a whole has one, and code-server ends with it.
exec timeout --signal=TERM --kill-after=20 900 \
  node --test --test-reporter=spec ${patterns[@]+"${patterns[@]}"} e2e/editor.test.mjs
