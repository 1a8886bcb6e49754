// Reads a CiliumEndpoint: what Cilium knows of a pod's addresses and identity (rules 3.1, 3.2).

import type { Address } from "../../net/address.ts";
import type { CiliumEndpoint } from "../objects.ts";
import type { Fields } from "./fields.ts";
import type { RawObject } from "./metadata.ts";
import { shared } from "./shared.ts";
import { readAddress, uniqueAddresses } from "./network.ts";

export function parseCiliumEndpoint(object: RawObject): CiliumEndpoint {
  const { root, metadata, key, namespace, name, createdAt } = object;
  const status = root.fields("status");
  const networking = status.fields("networking");
  // 0 is Cilium's "no identity yet"; the CiliumIdentity is named by the number.
  const identity = status.fields("identity").integer("id") ?? 0;
  return {
    uid: key,
    namespace,
    name,
    podUid: podOwner(metadata),
    identity: identity === 0 ? "" : shared(String(identity)),
    addresses: uniqueAddresses(readAddresses(networking)),
    nodeAddress: readAddress(networking, "node"),
    createdAt,
  };
}

function podOwner(metadata: Fields): string {
  let uid = "";
  for (const owner of metadata.each("ownerReferences")) {
    if (uid === "" && owner.string("kind") === "Pod") uid = owner.string("uid");
  }
  return uid;
}

function readAddresses(networking: Fields): Address[] {
  const addresses: Address[] = [];
  for (const pair of networking.each("addressing")) {
    for (const key of ["ipv4", "ipv6"]) {
      const address = readAddress(pair, key);
      if (address !== undefined) addresses.push(address);
    }
  }
  return addresses;
}
