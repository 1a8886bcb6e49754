// The statuses of policies in the Kubernetes API, where their definition has any: Cilium's own has
// none, and whoever patches one there is told that the policy does not exist.

import type { KubeConnection } from "../../drivers/kube/connection.ts";
import { applyObject, hasSubresource } from "../../drivers/kube/objects.ts";
import { OperationError } from "../../lib/operation-error.ts";
import type { PolicyStatus } from "../../reconcile/policy-status.ts";
import { POLICIES } from "./resources.ts";

/** A definition may be replaced by one that has a status; nothing says when. */
const ASK_AGAIN_MS = 10_000;

export class PolicyStatusWriter {
  readonly #connection: KubeConnection;
  /** What the definition of policies has; undefined: not asked, or doubtful. */
  #known: { readonly hasStatus: boolean; readonly atMs: number } | undefined;

  constructor(connection: KubeConnection) {
    this.#connection = connection;
  }

  /** Throws OperationError; `NoStatus`, without a word about the policy, where there are none. */
  async write(name: string, status: PolicyStatus): Promise<void> {
    if (!(await this.#hasStatus())) {
      throw new OperationError({ code: "NoStatus", op: "apply", target: POLICIES.plural });
    }
    const apply = { fieldManager: "sluice-controller", force: true, subresource: "status" };
    try {
      await applyObject(this.#connection, POLICIES, { name }, { status }, apply);
    } catch (error) {
      // It is the policy that is gone, or the definition that is another one now.
      this.#known = undefined;
      throw error;
    }
  }

  async #hasStatus(): Promise<boolean> {
    const nowMs = performance.now();
    const isOld = this.#known?.hasStatus === false && nowMs - this.#known.atMs > ASK_AGAIN_MS;
    if (this.#known === undefined || isOld) {
      const hasStatus = await hasSubresource(this.#connection, POLICIES, "status");
      this.#known = { hasStatus, atMs: nowMs };
    }
    return this.#known.hasStatus;
  }
}
