// Agents that write no kernel: each acknowledges the rows that its own engine wants, when the test
// says so, with the rights of the agent of that node.

import type { TestContext } from "node:test";
import { Engine } from "../../src/engine/engine.ts";
import { present } from "../../src/lib/assert.ts";
import { KubeConnection } from "../../src/drivers/kube/connection.ts";
import { Cluster as Model } from "../../src/model/cluster.ts";
import type { NodeState } from "../../src/model/node.ts";
import type { ObjectChange } from "../../src/model/objects.ts";
import { parseAddress } from "../../src/net/address.ts";
import { publishedStatus } from "../../src/reconcile/published-state.ts";
import { RowDigest } from "../../src/plan/row-digest.ts";
import { writeNodeState } from "../../src/sinks/kubernetes/node-state.ts";
import type { Cluster } from "./cluster.ts";
import { watchCluster } from "./watching.ts";

interface PlayedAgent {
  readonly node: string;
  /** Its egress IP. */
  readonly address: string;
  readonly connection: KubeConnection;
  readonly engine: Engine;
}

export class PlayedAgents {
  readonly #agents: readonly PlayedAgent[];
  readonly #model = new Model();
  readonly #queue: ObjectChange[] = [];
  #written = 0;

  private constructor(agents: readonly PlayedAgent[]) {
    this.#agents = agents;
  }

  /** `login` gives the kubeconfig of the agent of a node. */
  static async start(
    t: TestContext,
    cluster: Cluster,
    nodes: readonly string[],
    login: (node: string) => Promise<string>,
  ): Promise<PlayedAgents> {
    const agents: PlayedAgent[] = [];
    for (const [i, node] of nodes.entries()) {
      const place = { kind: "kubeconfig", path: await login(node), context: undefined } as const;
      const connection = new KubeConnection(place);
      t.after(() => connection.close());
      const scope = { node, rows: "needed" } as const;
      const engine = new Engine({ distribution: "round-robin", scope });
      agents.push({ node, address: `198.51.100.${i + 1}`, connection, engine });
    }
    const played = new PlayedAgents(agents);
    const source = watchCluster(cluster.kubeconfig, {
      nodeStates: false,
      onChanges: (changes) => void played.#queue.push(...changes),
      onIssues: () => undefined,
    });
    t.after(() => source.close());
    await source.synced;
    return played;
  }

  /** Lets these agents (all of them) say that their kernels hold what they should by now. */
  async acknowledge(nodes?: readonly string[]): Promise<void> {
    const delta = this.#model.apply(this.#queue.splice(0));
    for (const { engine } of this.#agents) engine.step(delta);
    for (const agent of this.#agents) {
      if (nodes?.includes(agent.node) ?? true) await this.#write(agent);
    }
  }

  async #write({ node, address, connection, engine }: PlayedAgent): Promise<void> {
    const digests = new Map<string, RowDigest>();
    for (const row of engine.rows()) {
      const digest = digests.get(row.policy) ?? new RowDigest();
      digests.set(row.policy, digest);
      digest.add(row);
    }
    const status = publishedStatus({
      state: stateOf(node, address),
      ready: true,
      message: "",
      versions: { sluice: "test", abi: "test", kernel: "test" },
      policies: engine.policies().map(({ policy: { name, generation } }) => {
        return { name, generation, message: "" };
      }),
      held: new Map([...digests].map(([policy, { sum }]) => [policy, sum])),
    });
    const renewTime = new Date(Date.now() + this.#written++).toISOString();
    await writeNodeState(connection, node, { ...status, renewTime });
  }
}

/** One interface, which the default route uses. */
function stateOf(name: string, address: string): NodeState {
  const addresses = [present(parseAddress(address), address)];
  return {
    name,
    interfaces: [{ name: "eth1", ifindex: 3, altNames: [], addresses }],
    defaultRoutes: [{ family: "IPv4", interface: "eth1" }],
  };
}
