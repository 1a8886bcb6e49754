import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../net/address.ts";
import type { Address } from "../net/address.ts";
import type { NodeDatapath } from "./datapath.ts";
import { unclassifiedOf } from "./unclassified.ts";

const at = (text: string) => parseAddress(text) as Address;
const SELF = at("192.0.2.1");

test("names pods without a device, pods whose rows do not fit, and devices of nobody [8.7]", () => {
  const [ready, lost, held, far] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1"].map(at);
  const endpoints = [
    { address: ready, node: SELF, ifindex: 5 },
    { address: lost, node: SELF, ifindex: 0 },
    { address: held, node: SELF, ifindex: 7 },
    { address: far, node: at("192.0.2.2"), ifindex: 0 },
  ];
  const classified = [{ interface: "veth5", address: ready }];
  const datapath = { self: SELF, endpoints, classified, podDevices: [5, 7, 9] };
  assert.deepEqual(unclassifiedOf(datapath as unknown as NodeDatapath), [
    { address: lost, ifindex: 0 },
    { address: held, ifindex: 7 },
    { address: undefined, ifindex: 9 },
  ]);
});
