// Whether we run in a Pod of the cluster. It loads nothing, so that asking costs nothing.

import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where a Pod finds its ServiceAccount's token and the cluster's certificate. */
export const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** True in a Pod that has a ServiceAccount's token. */
export function isInCluster(): boolean {
  const host = process.env["KUBERNETES_SERVICE_HOST"] ?? "";
  return host !== "" && existsSync(join(SERVICE_ACCOUNT, "token"));
}
