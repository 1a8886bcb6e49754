// Reads a NodeState: what a node's kernel has, in the kernel's order (rule 6.8).

import type { Address } from "../../net/address.ts";
import { FAMILIES } from "../../net/address.ts";
import type { NodeInterface, NodeState } from "../node.ts";
import type { Fields } from "./fields.ts";
import type { RawObject } from "./metadata.ts";
import { addressOf } from "./network.ts";
import { show } from "./wording.ts";

/** Interface numbers are positive 32-bit integers (the kernel's `int ifindex`). */
const IFINDEX_MAX = 2 ** 31 - 1;

export function parseNodeState({ root, name }: RawObject): NodeState {
  const status = root.fields("status");
  // Nothing known must not pass for nothing there.
  if (!root.has("status")) root.note("MissingField", "a NodeState needs a status", "status");
  return {
    name,
    interfaces: status.each("interfaces").map(readInterface),
    defaultRoutes: status.each("defaultRoutes").flatMap(readRoute),
  };
}

function readInterface(fields: Fields): NodeInterface {
  return {
    name: requiredName(fields, "name"),
    ifindex: readIfindex(fields),
    altNames: fields.strings("altNames").map(({ text }) => text),
    addresses: fields.strings("addresses").flatMap(({ text, index }) => {
      return readInterfaceAddress(fields, text, index);
    }),
  };
}

function readIfindex(fields: Fields): number {
  const before = fields.noted;
  const ifindex = fields.integer("ifindex");
  if (ifindex !== undefined && ifindex > 0 && ifindex <= IFINDEX_MAX) return ifindex;
  if (fields.noted === before) {
    const code = ifindex === undefined ? "MissingField" : "InvalidField";
    fields.note(code, "an interface needs a positive ifindex, as `ip link` shows it", "ifindex");
  }
  return 0;
}

/** `192.0.2.1/24` as `ip address` shows it, or without the length. */
function readInterfaceAddress(fields: Fields, text: string, index: number): Address[] {
  const bare = text.replace(/\/\d{1,3}$/, "");
  const address = addressOf(bare, fields, "addresses", index);
  return address === undefined ? [] : [address];
}

function readRoute(fields: Fields): NodeState["defaultRoutes"] {
  const device = requiredName(fields, "interface");
  const before = fields.noted;
  const text = fields.string("family");
  const family = FAMILIES.find((one) => one === text);
  if (family !== undefined) return [{ family, interface: device }];
  if (fields.noted === before) {
    fields.note("InvalidField", `${show(text)} is no family; write IPv4 or IPv6`, "family");
  }
  return [];
}

function requiredName(fields: Fields, key: string): string {
  const before = fields.noted;
  const name = fields.string(key);
  if (name === "" && fields.noted === before) {
    fields.note("MissingField", "write the interface's name", key);
  }
  return name;
}
