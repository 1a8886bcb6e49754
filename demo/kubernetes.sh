#!/usr/bin/env bash
# The demo on a real API server: kubectl apply, packets, kubectl get. `make demo-kubernetes` builds
# first, an etcd and a kube-apiserver included (once, some minutes), and runs it, as root. It fails
# as soon as something is not as the plan says, and takes everything away in any case.

set -euo pipefail
cd "$(dirname "$0")/.."

bold='' faint='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-}" != dumb ]; then
  bold=$'\e[1m' faint=$'\e[2m' plain=$'\e[0m'
fi

if [ "$(id -u)" -ne 0 ]; then
  echo "demo: network namespaces need root: sudo make demo-kubernetes" >&2
  exit 2
fi

export SLUICE_LAB=${SLUICE_LAB:-demo-api}
began=$SECONDS
directory=$(mktemp -d)

chapter() {
  printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
  printf '%s\n' "${@:2}"
}

# Shows and runs a command that must succeed.
run() {
  local status=0
  printf '\n%s$ %s%s\n\n' "$faint" "$*" "$plain"
  "$@" || status=$?
  [ "$status" -eq 0 ] && return
  echo "demo: \`$*\` ended with $status." >&2
  exit 1
}

sluice() { bin/sluice "$@"; }
kubectl() { "$directory/run/kubectl" "$@"; }

finish() {
  sluice lab down >/dev/null || true
  for process in ${controller:-} ${server:-}; do
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  rm -rf "$directory"
}
# What an interrupted demo left behind goes first.
sluice lab down >/dev/null
trap finish EXIT
trap 'exit 130' INT TERM

chapter 'An API server' \
  'A real etcd and kube-apiserver on this machine, and kubectl. There are no nodes yet.'
node_modules/.bin/node test/cluster/serve.ts "$directory/run" >"$directory/log" 2>&1 &
server=$!
until [ -e "$directory/run/kubeconfig" ]; do
  kill -0 "$server" 2>/dev/null || { cat "$directory/log" >&2; exit 1; }
  sleep 0.2
done
export KUBECONFIG=$directory/run/kubeconfig
run kubectl version

chapter 'Sluice is installed' \
  'Definitions, accounts with their rights, agents, controller, an admission policy.'
run sluice install
# Nobody runs pods here: the controller runs beside the API server, the agents in the lab's nodes.
bin/sluice controller --metrics-listen 127.0.0.1:0 2>"$directory/controller.log" &
controller=$!

chapter 'Nodes for it' \
  'Two workers, three gateways and six pods in network namespaces; one agent per node, which' \
  'watches the API server with a token of its own; a server outside.'
run sluice lab up --ipv6 --api "$KUBECONFIG"
run kubectl get nodes,pods -A -o wide

chapter 'Without a policy' \
  'Every pod leaves with the address of its node.'
run sluice lab check

chapter 'What would a policy do?' \
  'Nothing is applied yet: the live cluster is compared with what it would be.'
printf '\n%s$ sluice diff --to demo/policy.yaml%s\n\n' "$faint" "$plain"
sluice diff --to demo/policy.yaml || [ "$?" -eq 1 ]

chapter 'kubectl apply' \
  'The server outside says which addresses it saw, a sniffer watches for any other.'
run kubectl apply --server-side -f demo/policy.yaml
run sluice lab check
run kubectl wait --for=condition=Programmed cegp/outside --timeout=60s
run kubectl get cegp -o wide
run kubectl get nodestates

chapter 'A gateway leaves' \
  'A label goes: its endpoints move to the others.'
run kubectl label node gateway-3 egress-
run sluice lab check
run kubectl wait --for=jsonpath='{.status.resolved}'=2/3 cegp/outside --timeout=60s
run kubectl get cegp
run kubectl events --for ciliumegressgatewaypolicy/outside

chapter 'Why does this pod leave with this address?'
run sluice explain lab/pod-1 198.51.100.100

chapter 'Taken away again' \
  'Processes, namespaces, mounts and files; of the host nothing else was touched.'
run sluice lab down
printf '\nThe demo took %d seconds.\n' "$((SECONDS - began))"
