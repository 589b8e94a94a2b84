#!/usr/bin/env bash
# Sets up code-server (VS Code served to a browser) for the end-to-end tests and for `make editor`.
#
#   tools/codeserver/setup.sh          set up unless it is already there
#   tools/codeserver/setup.sh --check  exit 0 if it is there, 1 with one sentence if it is not
#
# Everything lands in .cache/code-server (ignored by git). Debian packages that are missing are
# installed with apt-get when running as root, otherwise named in one sentence.
# The npm package expects to download or build things in its install scripts; they are off, and the five native
# modules VS Code really needs are built here from source against the headers of the installed Node.
set -euo pipefail

VERSION=4.100.3 # the last line of releases that runs on Node 20
RECIPE=1        # raise to make existing caches rebuild

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cache="$root/.cache/code-server"
entry="$cache/node_modules/code-server/out/node/entry.js"
stamp="$cache/ready"
want="code-server $VERSION recipe $RECIPE node $(node -p 'process.versions.modules' 2>/dev/null || echo none)"
packages=(chromium libkrb5-dev libsecret-1-dev libxkbfile-dev libx11-dev pkg-config ripgrep gcc g++ make python3)

say() { printf 'code-server setup: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

missing_packages() {
  local name
  for name in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || printf '%s\n' "$name"
  done
}

is_ready() { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -f "$entry" ] && [ -x "$(command -v chromium)" ]; }

if [ "${1:-}" = "--check" ]; then
  is_ready || die "not set up here; run tools/codeserver/setup.sh (about two minutes, 320 MB)."
  exit 0
fi

command -v node >/dev/null || die "Node.js is missing; install Node 20."
node -e 'process.exit(+process.versions.node.split(".")[0] === 20 ? 0 : 1)' ||
  die "Node $(node --version) is installed, but code-server $VERSION runs on Node 20 only."

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -w 900 9 || die "another set-up has been running for 15 minutes; giving up."
is_ready && exit 0
started=$(date +%s)

if command -v dpkg-query >/dev/null; then
  mapfile -t missing < <(missing_packages)
  if [ "${#missing[@]}" -gt 0 ]; then
    [ "$(id -u)" = 0 ] || die "missing Debian packages; run: sudo apt-get install ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    {
      apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    } >"$cache/apt.log" 2>&1 || die "apt-get failed; see $cache/apt.log"
  fi
fi

# node-gyp downloads Node's headers unless it is told where they are.
prefix="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
if [ -f "$prefix/include/node/node.h" ]; then export npm_config_nodedir="$prefix"; fi
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_loglevel=error
# code-server's own lifecycle scripts refuse npm's "unsafe" mode otherwise, and VS Code would fetch a browser.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 ELECTRON_SKIP_BINARY_DOWNLOAD=1

log="$cache/npm.log"
: >"$log"
step() { # step DESCRIPTION FOLDER COMMAND...
  local what="$1" folder="$2"
  shift 2
  say "$what"
  { printf '\n== %s\n' "$what" && cd "$folder" && timeout 900 "$@"; } >>"$log" 2>&1 9>&-
}

rm -f "$stamp"
cd "$cache"
[ -f package.json ] || echo '{"name": "code-server-cache", "private": true}' >package.json
step "fetching code-server $VERSION" "$cache" npm install "code-server@$VERSION" --ignore-scripts --no-save ||
  die "npm install failed; see $log"

vscode="$cache/node_modules/code-server/lib/vscode"
step "installing VS Code's modules" "$vscode" npm install --omit=dev --ignore-scripts || die "npm install failed; see $log"
step "installing the built-in extensions' modules" "$vscode/extensions" npm install --omit=dev --ignore-scripts ||
  die "npm install failed; see $log"

for module in @vscode/spdlog native-watchdog @parcel/watcher @vscode/deviceid; do
  step "building $module" "$vscode" npm rebuild "$module" || die "building $module failed; see $log"
done
# node-pty's post-install step reports a failure after its binary was built: what counts is the binary.
step "building node-pty" "$vscode" npm rebuild node-pty || true
[ -f "$vscode/node_modules/node-pty/build/Release/pty.node" ] || die "building node-pty failed; see $log"
step "building argon2" "$cache" npm rebuild argon2 || die "building argon2 failed; see $log"

# ripgrep's package would download its binary; Debian's does.
mkdir -p "$vscode/node_modules/@vscode/ripgrep/bin"
ln -sfn "$(command -v rg)" "$vscode/node_modules/@vscode/ripgrep/bin/rg"
ln -sfn node_modules "$vscode/node_modules.asar"

(cd "$cache" && timeout 60 node "$entry" --version 9>&-) >>"$log" 2>&1 || die "code-server does not start; see $log"
printf '%s\n' "$want" >"$stamp"
say "ready after $(($(date +%s) - started)) s in $cache"
