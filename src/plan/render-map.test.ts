import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { address, prefix } from "../../test/support/sample-plan.ts";
import { PLAIN } from "../lib/screen.ts";
import type { MapRow } from "./map-layout.ts";
import { renderMaps } from "./render-map.ts";

function entry(source: string, egressIP: string, gatewayIP: string): MapRow {
  return {
    source: prefix(`${source}/32`),
    destination: prefix("0.0.0.0/0"),
    egressIP: address(egressIP),
    gatewayIP: address(gatewayIP),
    ifindex: 5,
  };
}

/** The lines of a map with these entries, on a machine with the address 10.0.0.1. */
function drawn(...rows: MapRow[]): string[] {
  let text = "";
  const maps = [{ name: "m", path: "/m", maxEntries: 9, rows }];
  renderMaps(maps, new Set([address("10.0.0.1")]), PLAIN, (piece) => (text += piece));
  return text.split("\n");
}

describe("a policy map for people", () => {
  test("shows on a gateway the egress IPs that it uses itself [7.7]", () => {
    const lines = drawn(
      entry("10.1.0.1", "192.0.2.1", "10.0.0.1"),
      entry("10.1.0.2", "192.0.2.1", "10.0.0.2"),
      entry("10.1.0.3", "192.0.2.1", "0.0.0.1"),
      entry("10.1.0.4", "0.0.0.0", "0.0.0.0"),
      entry("10.1.0.5", "0.0.0.0", "10.0.0.1"),
    );
    assert.deepEqual(lines.slice(2, 8), [
      "  10.1.0.1   0.0.0.0/0         192.0.2.1  10.0.0.1     5",
      "  10.1.0.2   0.0.0.0/0         –          10.0.0.2     –",
      "  10.1.0.3   0.0.0.0/0         –          excluded     –",
      "  10.1.0.4   0.0.0.0/0         –          drop         –",
      "  10.1.0.5   0.0.0.0/0         none       10.0.0.1     5",
      "",
    ]);
    assert.match(lines[8] ?? "", /^ {2}– no egress IP of this node is used · excluded/);
  });

  test("shows every egress IP where no gateway is known to be this node", () => {
    const lines = drawn(
      entry("10.1.0.1", "192.0.2.2", "10.0.0.2"),
      entry("10.1.0.2", "0.0.0.0", "10.0.0.3"),
    );
    assert.match(lines[2] ?? "", / 192\.0\.2\.2 {2}10\.0\.0\.2 {5}5$/);
    assert.match(lines[3] ?? "", / – {10}10\.0\.0\.3 {5}–$/);
  });
});
