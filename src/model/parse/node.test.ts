import assert from "node:assert/strict";
import { test } from "node:test";
import { renderAddress } from "../../net/address.ts";
import { parseObject } from "./object.ts";

test("an address in 0.0.0.0/8 is no gateway IP, since rows give it a meaning [4.2, 7.2]", () => {
  const addresses = ["0.0.0.0", "0.0.0.1", "192.168.1.1"].map((address) => {
    return { type: "InternalIP", address };
  });
  const raw = { apiVersion: "v1", kind: "Node", metadata: { name: "n" }, status: { addresses } };
  const parsed = parseObject(raw);
  assert.ok(parsed.kind === "object" && parsed.change.kind === "Node");
  const gatewayIP = parsed.change.value?.internalIPv4;
  assert.equal(gatewayIP === undefined ? "" : renderAddress(gatewayIP), "192.168.1.1");
});
