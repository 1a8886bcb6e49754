// The only door from the offline commands to a live cluster, opened when somebody asks for one.

import { counted } from "../lib/text.ts";
import { readKubernetes } from "../sources/kubernetes/read.ts";
import type { LiveObjects } from "../sources/kubernetes/read.ts";
import { usageErrorOf } from "./command.ts";
import type { Input } from "./input.ts";
import type { Progress } from "./progress.ts";

/** Reads the cluster once. Throws UsageError for one that cannot be read. */
export async function readLive(
  { place, endpoints }: Extract<Input, { kind: "live" }>,
  progress: Progress,
): Promise<LiveObjects> {
  try {
    return await readKubernetes(place, {
      endpoints,
      onProgress: (objects) => progress.update(`reading: ${counted(objects, "object")}`),
    });
  } catch (error) {
    throw usageErrorOf(error);
  }
}
