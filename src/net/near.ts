// Destinations that do not leave the link, or are not for one host.

import { present } from "../lib/assert.ts";
import type { Prefix } from "./prefix.ts";
import { parsePrefix } from "./prefix.ts";

/** Link-local (RFC 3927; RFC 4291, 2.5.6), multicast and limited broadcast. */
export const NEAR_PREFIXES: readonly Prefix[] = [
  ...["169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"],
  ...["fe80::/10", "ff00::/8"],
].map((text) => present(parsePrefix(text), text));
