// Reads a Pod: an endpoint unless it is on the host's network, finished or without an address
// (rule 3.5).

import type { Address } from "../../net/address.ts";
import type { Pod } from "../objects.ts";
import type { Fields } from "./fields.ts";
import type { RawObject } from "./metadata.ts";
import { readLabels } from "./metadata.ts";
import { shared } from "./shared.ts";
import { readAddress, uniqueAddresses } from "./network.ts";

export function parsePod({ root, metadata, key, namespace, name, createdAt }: RawObject): Pod {
  const spec = root.fields("spec");
  const status = root.fields("status");
  const phase = status.string("phase");
  const finished = phase === "Succeeded" || phase === "Failed";
  const addresses = readAddresses(status);
  return {
    key,
    namespace,
    name,
    labels: readLabels(metadata),
    addresses: uniqueAddresses(spec.boolean("hostNetwork") || finished ? [] : addresses),
    node: shared(spec.string("nodeName")),
    createdAt,
  };
}

/** `status.podIPs` and `status.podIP`, which repeats the first of them. */
function readAddresses(status: Fields): Address[] {
  const addresses: Address[] = [];
  for (const entry of status.each("podIPs")) {
    const address = readAddress(entry, "ip");
    if (address !== undefined) addresses.push(address);
  }
  const single = readAddress(status, "podIP");
  if (single !== undefined && !addresses.includes(single)) addresses.push(single);
  return addresses;
}
