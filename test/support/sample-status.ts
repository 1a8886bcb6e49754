// A status built by hand, for tests of what is shown of it.

import type { StatusDocument, StatusFacts } from "../../src/status/document.ts";
import { statusDocument } from "../../src/status/document.ts";

/** The status of a node where some things are wrong. */
export function sampleStatus(more: Partial<StatusFacts> = {}): StatusDocument {
  return statusDocument({
    node: "gw-1",
    version: "1.2.3",
    ready: true,
    waitingFor: "",
    synced: { objects: true, kernel: true },
    counts: { policies: 2, endpoints: 12, rows: 1_234, lameDucks: 2 },
    rowChanges: { written: 1_300, deleted: 66, repaired: 3 },
    turns: { total: 7, lastSeconds: 0.00125 },
    applied: { buckets: [{ atMost: 0.05, count: 3 }], count: 4, sum: 0.25 },
    policies: [
      { name: "db", distribution: "rendezvous", endpoints: 0, gateways: 0, conditions: [] },
      {
        name: 'we"b',
        distribution: "round-robin",
        endpoints: 12,
        gateways: 2,
        conditions: [
          { type: "ResolvedRefs", status: "False", reason: "NoEgressIP", message: "gw-2 has none" },
        ],
      },
    ],
    gateways: [
      { index: 1, address: "10.0.0.2", node: "gw-2" },
      { index: 2, address: "10.0.0.3", node: "" },
    ],
    egressIPs: [
      { index: 1, address: "192.0.2.1", interface: "eth1" },
      { index: 2, address: "192.0.2.2", interface: null },
    ],
    unclassified: [
      { address: "10.244.1.7", interface: null },
      { address: "10.244.1.8", interface: "veth8" },
      { address: null, interface: "veth9" },
    ],
    sinks: [
      { name: "rows", errors: 0, lastError: null },
      {
        name: "nftables",
        errors: 3,
        lastError: { code: "MissingTool", message: "nft: not installed", remedy: "install nft" },
      },
    ],
    packets: new Map([
      ["NoRow", 90],
      ["NoGateway", 5],
      ["UnknownFlow", 1],
      ["Invalid", 0],
    ]),
    issues: [
      {
        code: "UnreadableFile",
        severity: "error",
        object: "cluster/a.yaml",
        path: "",
        message: "the file is empty",
      },
    ],
    ...more,
  });
}
