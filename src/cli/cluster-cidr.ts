// The value of --cluster-cidr.

import type { Prefix } from "../net/prefix.ts";
import { parsePrefix } from "../net/prefix.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";

/** What belongs to the cluster beside what its objects say. Throws UsageError. */
export function clusterCIDRs(args: Arguments): readonly Prefix[] {
  return args.all("cluster-cidr").map((text) => {
    const prefix = parsePrefix(text);
    if (prefix !== undefined) return prefix;
    throw new UsageError(
      `--cluster-cidr '${text}' is not a prefix`,
      "Write address and mask, as in 10.96.0.0/12 or fd00:10::/32.",
    );
  });
}
