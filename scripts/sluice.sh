#!/bin/sh
# The command `sluice`; `make build` installs it as bin/sluice. It finds the package that it belongs
# to, also through symbolic links, and a Node to run it on: the package's own, or the one in PATH.

set -eu

fail() {
  echo "sluice: $*" >&2
  exit 2
}

self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=$(dirname "$self")/$target ;;
  esac
done
root=$(CDPATH="" cd -- "$(dirname -- "$self")/.." && pwd -P)

main=$root/dist/cli/main.js
[ -f "$main" ] || fail "$main is missing: run \`make build\` in $root."

node=$root/node_modules/.bin/node
if [ ! -x "$node" ]; then
  node=$(command -v node) || fail "needs Node 20.12 or newer, and there is no node in PATH."
  version=$("$node" --version)
  major=${version#v}
  minor=${major#*.}
  major=${major%%.*}
  minor=${minor%%.*}
  if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 12 ]; }; then
    fail "needs Node 20.12 or newer; $node is $version."
  fi
fi

# Much is parsed and little is kept: a large nursery saves half of the garbage collector's work.
exec "$node" --max-semi-space-size=16 "$main" "$@"
