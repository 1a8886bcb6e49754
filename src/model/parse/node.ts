// Reads a Node or a CiliumNode: the gateway IP (rule 4.2), labels, and what the node's addresses
// and pod prefixes are.

import type { Address } from "../../net/address.ts";
import { familyOf } from "../../net/address.ts";
import type { Node } from "../node.ts";
import type { RawObject } from "./metadata.ts";
import { readLabels } from "./metadata.ts";
import {
  readAddress,
  readPrefix,
  readPrefixes,
  uniqueAddresses,
  uniquePrefixes,
} from "./network.ts";

/** Kubernetes' types of NodeAddress whose `address` is a name. */
const NAMES = ["Hostname", "InternalDNS", "ExternalDNS"];

interface TypedAddress {
  readonly type: string;
  readonly address: Address | undefined;
}

/** `status.addresses[{type, address}]`, `spec.podCIDRs`, `spec.podCIDR`. */
export function parseNode(object: RawObject): Node {
  const spec = object.root.fields("spec");
  const listed = object.root.fields("status").each("addresses").map((entry) => {
    const type = entry.string("type");
    return { type, address: NAMES.includes(type) ? undefined : readAddress(entry, "address") };
  });
  const podCIDRs = [...readPrefixes(spec, "podCIDRs"), ...readPrefix(spec, "podCIDR")];
  return makeNode(object, listed, uniquePrefixes(podCIDRs));
}

/** `spec.addresses[{type, ip}]`, `spec.ipam.podCIDRs`. */
export function parseCiliumNode(object: RawObject): Node {
  const spec = object.root.fields("spec");
  const listed = spec.each("addresses").map((entry) => {
    return { type: entry.string("type"), address: readAddress(entry, "ip") };
  });
  return makeNode(object, listed, uniquePrefixes(readPrefixes(spec.fields("ipam"), "podCIDRs")));
}

function makeNode(
  { name, metadata }: RawObject,
  listed: readonly TypedAddress[],
  podCIDRs: Node["podCIDRs"],
): Node {
  const internal = listed.find(({ type, address }) => {
    return type === "InternalIP" && address !== undefined && canBeGateway(address);
  });
  const addresses = listed.flatMap(({ address }) => (address === undefined ? [] : [address]));
  return {
    name,
    labels: readLabels(metadata),
    internalIPv4: internal?.address,
    addresses: uniqueAddresses(addresses),
    podCIDRs,
  };
}

/** 0.0.0.0/8 is no host's address, and rows give 0.0.0.0 and 0.0.0.1 another meaning (rule 7.2). */
function canBeGateway(address: Address): boolean {
  return familyOf(address) === "IPv4" && address.charCodeAt(0) !== 0;
}
