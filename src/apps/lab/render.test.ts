import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN } from "../../lib/screen.ts";
import type { CheckedPath } from "./check.ts";
import { PROTOCOLS } from "./check.ts";
import type { Expectation } from "./expectation.ts";
import { renderCheck } from "./render.ts";

const SERVERS = { IPv4: "198.51.100.100", IPv6: "2001:db8:100::100" };

function path(
  expected: Partial<Expectation>,
  { seen, fits = true }: { readonly seen: string | null; readonly fits?: boolean },
): CheckedPath {
  const usual = { pod: "pod-1", node: "worker-1", server: SERVERS.IPv4, gateway: "" } as const;
  const findings = PROTOCOLS.map((protocol) => ({ protocol, seen, fits }));
  return { expected: { ...usual, kind: "node", addresses: [], ...expected }, findings };
}

function rows(paths: readonly CheckedPath[], agentless: readonly string[] = []): string[] {
  let text = "";
  const sniffed = { packets: 9, missed: 0, leaks: [], leaksBefore: [] };
  const fits = paths.every(({ findings }) => findings.every((one) => one.fits));
  const result = { paths, ...sniffed, agentless, attempts: 1, fits };
  renderCheck(result, PLAIN, (piece) => (text += piece));
  const [, ...lines] = text.split("\n\n")[0]?.split("\n") ?? [];
  return lines.map((line) => line.trim().replace(/ {2,}/g, " | "));
}

test("a check shows the address that was seen, of several that may be", () => {
  const addresses = ["198.51.100.31", "198.51.100.32"];
  assert.deepEqual(
    rows([
      path({ addresses }, { seen: "198.51.100.32" }),
      path({ addresses }, { seen: "198.51.100.9", fits: false }),
    ]),
    [
      "pod-1 | worker-1 | no policy | 198.51.100.32 | TCP UDP ICMP",
      "pod-1 | worker-1 | no policy | 198.51.100.31 or 198.51.100.32 | TCP UDP ICMP 198.51.100.9",
    ],
  );
});

test("a check tells the families of drops apart, and says where no agent runs", () => {
  const none = { seen: null, fits: false };
  const by = { kind: "egress", gateway: "gateway-2", addresses: ["198.51.100.41"] } as const;
  assert.deepEqual(
    rows(
      [
        path({ kind: "drop" }, { seen: null }),
        path({ kind: "drop", server: SERVERS.IPv6 }, { seen: null }),
        path({ kind: "egress", gateway: "gateway-1", server: SERVERS.IPv6 }, none),
        path(by, none),
        path(by, { seen: "198.51.100.41" }),
      ],
      ["gateway-2"],
    ),
    [
      "pod-1 | worker-1 | dropped | no IPv4 | TCP UDP ICMP nothing",
      "pod-1 | worker-1 | dropped | no IPv6 | TCP UDP ICMP nothing",
      "pod-1 | worker-1 | by gateway-1 | unknown, IPv6 | TCP UDP ICMP no answer",
      "pod-1 | worker-1 | by gateway-2 | 198.51.100.41 | " +
        "TCP UDP ICMP no answer; no agent runs on gateway-2",
      "pod-1 | worker-1 | by gateway-2 | 198.51.100.41 | TCP UDP ICMP",
    ],
  );
});
