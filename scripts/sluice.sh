#!/bin/sh
# The `sluice` command: finds its package through symbolic links, finds a Node that can run it, and
# becomes it. `make build` installs this file as bin/sluice.
set -eu

fail() {
  echo "sluice: $1" >&2
  exit 2
}

self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname "$self")/$link ;;
  esac
done
package=$(CDPATH='' cd "$(dirname "$self")/.." && pwd -P)
main=$package/dist/cli/main.js
[ -f "$main" ] || fail "$main is missing; run 'make build' in $package"

# The Node that the package brings lies in its own node_modules, or beside it where it is itself
# somebody's dependency. Any other Node must be new enough: 20.12 has all that we need.
for node in "$package/node_modules/.bin/node" "$package/../.bin/node" ""; do
  [ -x "$node" ] && break
done
if [ -z "$node" ]; then
  node=$(command -v node) || fail "there is no Node; install Node 20.12 or newer"
  version=$("$node" --version)
  major=${version#v}
  major=${major%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 12 ]; }; then
    fail "Node $version at $node is too old; install Node 20.12 or newer"
  fi
fi

# A larger nursery halves the time that reading big clusters spends on collecting garbage. An agent
# reads once and then runs for months, with memory that its node's pods could use (bench/scale.md).
if [ "${1:-}" = agent ]; then
  export MALLOC_ARENA_MAX=1
  exec "$node" --optimize-for-size --max-semi-space-size=8 "$main" "$@"
fi
exec "$node" --max-semi-space-size=64 "$main" "$@"
