#!/usr/bin/env bash
# A short tour of the example cluster: plan, explain, diff. `make tour` builds first and runs it; it
# fails as soon as a command does not end as expected.

set -euo pipefail
cd "$(dirname "$0")/.."

bold='' faint='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-}" != dumb ]; then
  bold=$'\e[1m' faint=$'\e[2m' plain=$'\e[0m'
fi

chapter() {
  printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
  printf '%s\n' "${@:2}"
}

# Shows and runs a command that must end with the given exit status.
sluice() {
  local expected=$1 status=0
  shift
  printf '\n%s$ sluice %s%s\n\n' "$faint" "$*" "$plain"
  bin/sluice "$@" || status=$?
  [ "$status" -eq "$expected" ] && return
  echo "tour: \`sluice $*\` ended with $status instead of $expected." >&2
  exit 1
}

now=(-f examples/cluster -f examples/policy.yaml)
change=(--from examples/cluster --from examples/policy.yaml
  --to examples/cluster --to examples/grown)

chapter 'One policy, three gateways, a dozen pods' \
  'Whatever two namespaces send to a partner has to leave with an address that the partner knows.' \
  'The policy lists three gateways, and Sluice spreads the pods over them:'
sluice 0 plan "${now[@]}"

chapter 'Why does this pod leave with that address?' \
  'Every decision can be asked for its reasons, and every reason names its rule in' \
  'docs/semantics.md:'
sluice 0 explain "${now[@]}" checkout-0 203.0.113.10

chapter 'A pod and a gateway more' \
  'Who would move? Only new connections follow; established ones stay where they began.'
sluice 1 diff "${change[@]}"

chapter 'The same, with as few moves as possible' \
  'round-robin balances to one endpoint and moves many; rendezvous moves only what it must:'
sluice 1 diff "${change[@]}" --distribution rendezvous | sed -n '1,3p;/ENDPOINT  /,/^$/p;$p'

chapter 'What next' \
  'Your own cluster, without touching it:' \
  '' \
  '  bin/sluice plan --kubeconfig ~/.kube/config'
