// Unit tests of reading tcpdump's lines.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceOf } from "./sniffer.ts";

test("the source address of a line is found with and without a port", () => {
  const sources = [
    "IP 198.51.100.31.40000 > 198.51.100.100.7777: Flags [S], seq 1",
    "IP 198.51.100.31 > 198.51.100.100: ICMP echo request, id 7, seq 1, length 64",
    "IP6 2001:db8:100::31.40000 > 2001:db8:100::100.7777: UDP, length 5",
    "IP6 2001:db8:100::31 > 2001:db8:100::100: frag (1448|560)",
    "ARP, Request who-has 198.51.100.31",
    "",
  ].map(sourceOf);
  const [v4, v6] = ["198.51.100.31", "2001:db8:100::31"];
  assert.deepEqual(sources, [v4, v4, v6, v6, undefined, undefined]);
});
