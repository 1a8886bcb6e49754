// Nodes from both kinds that describe them: a CiliumNode counts before the Node of its name.

import { sameList } from "../lib/equal.ts";
import { compareBytes } from "../lib/order.ts";
import type { Address } from "../net/address.ts";
import type { Node } from "./node.ts";

export class NodeTable {
  readonly #byKind = { Node: new Map<string, Node>(), CiliumNode: new Map<string, Node>() };
  /** Which node has an address; built when asked, dropped when a node changes. */
  #byAddress: Map<Address, string> | undefined;

  get(name: string): Node | undefined {
    return this.#byKind.CiliumNode.get(name) ?? this.#byKind.Node.get(name);
  }

  /** Addresses whose owner may change when this object becomes `node`; empty: none. */
  changedAddresses(
    kind: "Node" | "CiliumNode",
    name: string,
    node: Node | undefined,
  ): ReadonlySet<Address> {
    const old = this.#byKind[kind].get(name);
    const both = old !== undefined && node !== undefined;
    if (old === node || (both && sameList(old.addresses, node.addresses))) return new Set();
    const all = [this.#byKind.Node.get(name), this.#byKind.CiliumNode.get(name), node];
    return new Set(all.flatMap((one) => one?.addresses ?? []));
  }

  set(kind: "Node" | "CiliumNode", name: string, node: Node | undefined): void {
    if (node === undefined) this.#byKind[kind].delete(name);
    else this.#byKind[kind].set(name, node);
    this.#byAddress = undefined;
  }

  all(): Map<string, Node> {
    return new Map([...this.#byKind.Node, ...this.#byKind.CiliumNode]);
  }

  /** The name of the node that has this address, the first by name if several do; or empty. */
  at(address: Address | undefined): string {
    if (address === undefined) return "";
    this.#byAddress ??= indexAddresses(this.all().values());
    return this.#byAddress.get(address) ?? "";
  }
}

function indexAddresses(nodes: Iterable<Node>): Map<Address, string> {
  const index = new Map<Address, string>();
  for (const node of [...nodes].sort((a, b) => compareBytes(a.name, b.name))) {
    for (const address of node.addresses) {
      if (!index.has(address)) index.set(address, node.name);
    }
  }
  return index;
}
