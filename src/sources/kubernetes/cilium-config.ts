// Whether Cilium's own egress gateway is on in this cluster: it writes the policy maps itself, and
// two who write them would undo each other's work.

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import { getObject } from "../../drivers/kube/objects.ts";
import type { ObjectName, Resource } from "../../drivers/kube/resource.ts";
import { OperationError } from "../../lib/operation-error.ts";

const CONFIG_MAPS: Resource = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
const CONFIG: ObjectName = { namespace: "kube-system", name: "cilium-config" };

/** Its name now, and that of releases before 1.16. */
const SETTINGS = ["enable-egress-gateway", "enable-ipv4-egress-gateway"];

/**
 * Undefined: it is off, or Cilium is not here. Throws OperationError where the API does not answer
 * or does not allow to ask.
 */
export async function findCiliumEgressGateway(
  connection: KubeConnection,
): Promise<OperationError | undefined> {
  const { data = {} } = ((await getObject(connection, CONFIG_MAPS, CONFIG)) ?? {}) as {
    readonly data?: Readonly<Record<string, string>>;
  };
  const on = SETTINGS.find((setting) => data[setting] === "true");
  if (on === undefined) return undefined;
  const detail = `Cilium's own egress gateway is on (${on}: "true")`;
  const target = `ConfigMap ${CONFIG.namespace}/${CONFIG.name}`;
  return new OperationError({ code: "CiliumEgressGateway", op: "start", target, detail });
}
