// Which endpoint a person means: by name, namespace/name, UID or address.

import { compareBytes } from "../lib/order.ts";
import { counted } from "../lib/text.ts";
import { compareAddresses, parseAddress, renderAddress } from "../net/address.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { UsageError } from "./command.ts";
import { nearest } from "./suggest.ts";

const CANDIDATES_MAX = 8;

/**
 * The one endpoint that `text` names. Throws UsageError, with candidates, for none or several; for
 * one of the pods that are none (`others`), with the reason.
 */
export function findEndpoint(
  text: string,
  endpoints: Iterable<Endpoint>,
  others: Iterable<Endpoint>,
): Endpoint {
  const all = [...endpoints];
  const isMeant = namedBy(text);
  const found = all.filter(isMeant);
  const [only] = found;
  if (only === undefined) {
    const pod = [...others].find(isMeant);
    throw pod === undefined ? unknown(text, all) : noEndpoint(pod);
  }
  if (found.length > 1) {
    const names = new Set(found.map(fullName));
    const which = names.size === found.length ? "namespace/name" : "UID";
    throw new UsageError(
      `'${text}' is ambiguous: ${counted(found.length, "endpoint")} match`,
      `Give the ${which} of one of them:\n${listed(found)}`,
    );
  }
  return only;
}

/** By name, namespace/name, UID or address. */
function namedBy(text: string): (one: Endpoint) => boolean {
  const address = parseAddress(text);
  return (one) =>
    one.key === text ||
    one.name === text ||
    fullName(one) === text ||
    (address !== undefined && one.addresses.includes(address));
}

function noEndpoint(pod: Endpoint): UsageError {
  const reason =
    pod.addresses.length === 0
      ? "it has no address, is finished or is on the host's network [3.5]"
      : "the identity of its CiliumEndpoint is not known [3.2]";
  const problem = `pod ${fullName(pod)} is no endpoint, so no policy concerns it: ${reason}`;
  return new UsageError(problem, "");
}

function unknown(text: string, all: readonly Endpoint[]): UsageError {
  const byName = new Map<string, Endpoint[]>();
  for (const one of all) {
    for (const name of [one.name, fullName(one)]) {
      byName.set(name, [...(byName.get(name) ?? []), one]);
    }
  }
  const near = nearest(text, [...byName.keys()], CANDIDATES_MAX);
  const candidates = new Set(near.flatMap((name) => byName.get(name) ?? []));
  return new UsageError(
    `no endpoint '${text}' among ${counted(all.length, "endpoint")}`,
    candidates.size > 0
      ? `Did you mean one of these?\n${listed([...candidates])}`
      : "Host-network pods, finished pods and pods without an address are not endpoints.",
  );
}

/** One line each: namespace/name, UID, addresses. */
function listed(endpoints: readonly Endpoint[]): string {
  const sorted = [...endpoints].sort(
    (a, b) => compareBytes(fullName(a), fullName(b)) || compareBytes(a.key, b.key),
  );
  const lines = sorted.slice(0, CANDIDATES_MAX).map((one) => {
    const addresses = [...one.addresses].sort(compareAddresses).map(renderAddress).join(", ");
    return `  ${fullName(one)}  ${one.key}  ${addresses}`;
  });
  const rest = endpoints.length - lines.length;
  return [...lines, ...(rest > 0 ? [`  and ${rest} more`] : [])].join("\n");
}

function fullName({ namespace, name }: Endpoint): string {
  return `${namespace}/${name}`;
}
