#!/bin/sh
# `kubectl sluice`: the `sluice` command as a plug-in of kubectl, which finds it in PATH. It means
# the cluster that kubectl means. `make build` installs this file as bin/kubectl-sluice.
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
exec "$(CDPATH='' cd "$(dirname "$self")" && pwd -P)/sluice" "$@"
