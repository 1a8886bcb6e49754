// Destinations that do not leave the link, or are not for one host: link-local (RFC 3927, RFC 4291
// 2.5.6), multicast, limited broadcast. bpf/sluice.bpf.c says the same in `stays_near`.

import { present } from "../lib/assert.ts";
import type { Prefix } from "./prefix.ts";
import { containsPrefix, parsePrefix } from "./prefix.ts";

const NEAR = [
  ...["169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"],
  ...["fe80::/10", "ff00::/8"],
].map((text) => present(parsePrefix(text), text));

/** The one of them that holds all of `prefix`. */
export function nearPrefix(prefix: Prefix): Prefix | undefined {
  return NEAR.find((one) => containsPrefix(one, prefix));
}
