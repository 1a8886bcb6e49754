// Reads a Service: every address under which it is reached (rule 8.2).

import type { Address } from "../../net/address.ts";
import type { Service } from "../objects.ts";
import type { Fields } from "./fields.ts";
import type { RawObject } from "./metadata.ts";
import { addressOf, readAddress, uniqueAddresses } from "./network.ts";

/** What a headless Service has in the place of an address. */
const HEADLESS = "None";

/**
 * `spec.clusterIPs`, `spec.clusterIP` (which repeats the first of them), `spec.externalIPs` and
 * `status.loadBalancer.ingress[].ip`; a load balancer's host name is no address.
 */
export function parseService({ root, namespace, name }: RawObject): Service {
  const spec = root.fields("spec");
  const single = spec.string("clusterIP");
  const ingress = root.fields("status").fields("loadBalancer").each("ingress");
  const addresses = [
    ...readAddresses(spec, "clusterIPs"),
    single === "" || single === HEADLESS ? undefined : addressOf(single, spec, "clusterIP"),
    ...readAddresses(spec, "externalIPs"),
    ...ingress.map((entry) => readAddress(entry, "ip")),
  ];
  return { namespace, name, addresses: uniqueAddresses(addresses.filter(isThere)) };
}

function readAddresses(fields: Fields, key: string): (Address | undefined)[] {
  return fields.strings(key).map(({ text, index }) => {
    return text === HEADLESS ? undefined : addressOf(text, fields, key, index);
  });
}

function isThere(address: Address | undefined): address is Address {
  return address !== undefined;
}
