// `sluice lab exec`: a command in a pod, on this terminal.

import { spawn } from "node:child_process";
import { LabError } from "./lab-error.ts";
import type { LabPlace } from "./place.ts";
import { podMember } from "./place.ts";
import { findPod } from "./state.ts";

const SIGNAL_BASE = 128;
const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Runs `command` in the pod's network; its exit status, as a shell gives it. */
export function runInPod(
  place: LabPlace,
  name: string,
  command: readonly string[],
): Promise<number> {
  const pod = findPod(place, name);
  const child = spawn("nsenter", [`--net=${place.path(podMember(pod.name))}`, ...command], {
    stdio: "inherit",
  });
  // The terminal sends its signals to both; the command decides what they mean.
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new LabError(`nsenter: ${error.message}`)));
    child.on("close", (status, signal) => {
      process.off("SIGINT", ignore);
      resolve(status ?? SIGNAL_BASE + (SIGNALS[signal ?? ""] ?? 0));
    });
  });
}
