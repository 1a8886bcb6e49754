#!/bin/sh
# `kubectl sluice`: the `sluice` command as a plug-in of kubectl, which finds it in PATH. It means
# the cluster that kubectl means, also where `sluice status` means the node. `make build` installs
# this file as bin/kubectl-sluice.
set -eu

self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname "$self")/$link ;;
  esac
done

if [ -z "${KUBECONFIG:-}" ] && [ -f "${HOME:-}/.kube/config" ]; then
  export KUBECONFIG="$HOME/.kube/config"
fi
export SLUICE_KUBECTL_PLUGIN=1
exec "$(CDPATH='' cd "$(dirname "$self")" && pwd -P)/sluice" "$@"
