#!/usr/bin/env bash
# The demo with real packets: a whole cluster in network namespaces on this machine. `make demo`
# builds first and runs it, as root; it fails as soon as something is not as the plan says, and
# takes the cluster away in any case.

set -euo pipefail
cd "$(dirname "$0")/.."

bold='' faint='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-}" != dumb ]; then
  bold=$'\e[1m' faint=$'\e[2m' plain=$'\e[0m'
fi

if [ "$(id -u)" -ne 0 ]; then
  echo "demo: network namespaces need root: sudo make demo" >&2
  echo "Without root, \`make tour\` shows what can be seen without packets." >&2
  exit 2
fi

export SLUICE_LAB=${SLUICE_LAB:-demo}
began=$SECONDS

chapter() {
  printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
  printf '%s\n' "${@:2}"
}

# Shows and runs a command that must succeed.
lab() {
  local status=0
  printf '\n%s$ sluice lab %s%s\n\n' "$faint" "$*" "$plain"
  bin/sluice lab "$@" || status=$?
  [ "$status" -eq 0 ] && return
  echo "demo: \`sluice lab $*\` ended with $status." >&2
  exit 1
}

log=$(mktemp)
finish() {
  bin/sluice lab down >/dev/null || true
  rm -f "$log"
}
# What an interrupted demo left behind goes first.
bin/sluice lab down >/dev/null
trap finish EXIT
trap 'exit 130' INT TERM

chapter 'A cluster on this machine' \
  'Two workers, three gateways and six pods, each in a network namespace; one agent per node; a' \
  'server outside. The pods are wired by a CNI reference plugin; nobody tells the agents how.'
lab up --ipv6
lab status

chapter 'Without a policy' \
  'Every pod leaves with the address of its node: nobody outside can tell pods apart.'
lab check

chapter 'One policy, three gateways' \
  'Every pod opens TCP, UDP and ICMP flows over IPv4 and IPv6. PLAN and SOURCE say what the' \
  'policy means; then comes what the server saw. A sniffer outside watches for other addresses.'
lab policy apply demo/policy.yaml
lab check

chapter 'A pod more' \
  'The pods before it may move to other gateways, for new flows; and nothing of the new pod' \
  'leaves before the agent of its node knows it.'
lab pod add
lab check

chapter 'A gateway leaves, under load' \
  'Every pod holds long-lived TCP and UDP flows with checked bytes. After some seconds gateway-3' \
  'loses its label: its established flows must not notice, new flows go elsewhere.'
printf '\n%s$ sluice lab traffic --seconds 15 &%s\n\n' "$faint" "$plain"
bin/sluice lab traffic --seconds 15 >"$log" &
traffic=$!
sleep 5
bin/sluice lab label gateway-3 egress- >/dev/null
printf '%s$ sluice lab label gateway-3 egress-%s\n' "$faint" "$plain"
status=0
wait "$traffic" || status=$?
echo
cat "$log"
if [ "$status" -ne 0 ]; then
  echo 'demo: flows did not go on as they should.' >&2
  exit 1
fi
lab check

chapter 'Taken away again' \
  'Processes, namespaces, mounts and files; of the host nothing else was touched.'
lab down
printf '\nThe demo took %d seconds.' "$((SECONDS - began))"
printf ' Try it by hand: bin/sluice lab up --ipv6\n'
