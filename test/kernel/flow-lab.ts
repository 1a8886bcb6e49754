// A lab for tests of flows, raised and changed in this process: flows between its pods and the
// outside, policies as objects, and the sniffer over everything.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { leaksOf } from "../../src/apps/lab/check.ts";
import { tearDown } from "../../src/apps/lab/down.ts";
import type { Expectation } from "../../src/apps/lab/expectation.ts";
import { expectations } from "../../src/apps/lab/expectation.ts";
import { runScript } from "../../src/apps/lab/namespaces.ts";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { LabPlace, podMember } from "../../src/apps/lab/place.ts";
import { startAgent, waitForAgent } from "../../src/apps/lab/processes.ts";
import { Sniffer } from "../../src/apps/lab/sniffer.ts";
import { findPod, loadPods } from "../../src/apps/lab/state.ts";
import type { LabOptions, Topology } from "../../src/apps/lab/topology.ts";
import { planTopology, SERVER } from "../../src/apps/lab/topology.ts";
import { bringUp } from "../../src/apps/lab/up.ts";
import { freshName } from "./make-lab.ts";
import { Peer } from "./peer/peer.ts";
import type { FlowReport, FlowSpec } from "./peer/wire.ts";

/** Where the peer outside listens; the lab's own server has another port. */
const PORT = 7000;
/** A new flow that is not answered so soon is tried again, and how long. */
const NEW_FLOW_MS = 2_000;
const AGAIN_MS = 50;
const SETTLE_MS = 60_000;
const TALK_MS = 100;
const PROTOCOLS = ["TCP", "UDP"] as const;

/** A node and which of its egress IPs. */
export type Gateway = readonly [node: string, egress: number];

/** A flow of a pod to the peer outside. */
export interface LabFlow extends FlowSpec {
  readonly pod: string;
}

export interface FlowsWanted {
  /** Part of the flows' names; a pod's flows of one label are told apart by what they are. */
  readonly label?: string;
  readonly protocols?: readonly FlowSpec["protocol"][];
  readonly localPort?: number;
}

/** Raises a lab of both families. */
export async function raiseLab(
  options: Partial<LabOptions> & Pick<LabOptions, "workers" | "gateways" | "pods">,
): Promise<FlowLab> {
  const name = freshName();
  const topology = planTopology({ ipv6: true, cni: "ptp", agents: true, ...options, name });
  const place = new LabPlace(name);
  await bringUp(place, topology, () => undefined);
  const outside = new Peer(place, SERVER);
  await outside.listen(topology.server, PORT);
  return new FlowLab({ place, topology }, outside);
}

export class FlowLab {
  readonly place: LabPlace;
  readonly topology: Topology;
  /** The peer outside; it listens on the server's addresses. */
  readonly outside: Peer;
  readonly #peers = new Map<string, Peer>();
  #news = 0;

  constructor(lab: { readonly place: LabPlace; readonly topology: Topology }, outside: Peer) {
    this.place = lab.place;
    this.topology = lab.topology;
    this.outside = outside;
  }

  async end(): Promise<void> {
    await tearDown(this.place);
  }

  get pods(): readonly string[] {
    return loadPods(this.place).map(({ name }) => name);
  }

  /** A pod's addresses, IPv4 first. */
  addresses(pod: string): readonly string[] {
    return findPod(this.place, pod).addresses;
  }

  /** The peer in a pod; it starts when it is asked for first. */
  peer(pod: string): Peer {
    let peer = this.#peers.get(pod);
    if (peer === undefined) {
      peer = new Peer(this.place, podMember(pod));
      this.#peers.set(pod, peer);
    }
    return peer;
  }

  /** One flow of these pods for each protocol and address of the server; nothing is opened. */
  flows(pods: readonly string[], wanted: FlowsWanted = {}): LabFlow[] {
    const { label = "flow", protocols = PROTOCOLS, localPort } = wanted;
    const from = localPort === undefined ? {} : { localPort };
    return pods.flatMap((pod) =>
      this.topology.server.flatMap((server) =>
        protocols.map((protocol): LabFlow => {
          const name = `${pod}/${label}/${protocol}${server.includes(":") ? 6 : 4}`;
          return { pod, name, protocol, server, port: PORT, ...from };
        }),
      ),
    );
  }

  /** Opens flows, each of which asks once. */
  open(flows: readonly LabFlow[], withinMs?: number): Promise<FlowReport[]> {
    return this.#byPod(flows, (peer, own) => peer.open(own, withinMs));
  }

  /** Each flow asks once. */
  ask(
    flows: readonly LabFlow[],
    options?: { readonly size?: number; readonly withinMs?: number },
  ): Promise<FlowReport[]> {
    return this.#byPod(flows, (peer, own) => peer.ask(namesOf(own), options));
  }

  /** Each flow asks again and again, until `hush`. */
  async talk(flows: readonly LabFlow[], intervalMs = TALK_MS): Promise<void> {
    await this.#byPod(flows, async (peer, own) => {
      await peer.talk(namesOf(own), intervalMs);
      return [];
    });
  }

  /** Ends `talk` in every pod; what came of its flows. */
  async hush(): Promise<FlowReport[]> {
    return (await Promise.all([...this.#peers.values()].map((peer) => peer.hush()))).flat();
  }

  /** Closes flows, from the pods' side. */
  async finish(flows: readonly LabFlow[]): Promise<void> {
    await this.#byPod(flows, async (peer, own) => {
      await peer.finish(namesOf(own));
      return [];
    });
  }

  async #byPod(
    flows: readonly LabFlow[],
    act: (peer: Peer, own: readonly LabFlow[]) => Promise<FlowReport[]>,
  ): Promise<FlowReport[]> {
    const pods = [...new Set(flows.map(({ pod }) => pod))];
    const ownOf = (pod: string) => flows.filter((flow) => flow.pod === pod);
    return (await Promise.all(pods.map((pod) => act(this.peer(pod), ownOf(pod))))).flat();
  }

  /** For each flow the sources that the outside heard it from, in order. */
  async sources(flows: readonly LabFlow[]): Promise<Source[][]> {
    const heard = await this.outside.heard(namesOf(flows));
    return heard.map((sources) =>
      sources.map((source) => {
        const [address = "", port] = source.split(" ");
        return { address, port: Number(port) };
      }),
    );
  }

  /** Runs a shell script on a node; what it prints. */
  inNode(node: string, script: string): Promise<string> {
    return runScript(this.place.namespace(node), script);
  }

  /** On every node; what they print, in the nodes' order. */
  inNodes(script: string): Promise<string[]> {
    return Promise.all(this.topology.nodes.map(({ name }) => this.inNode(name, script)));
  }

  async startAgents(): Promise<void> {
    for (const node of this.topology.nodes) startAgent(this.place, node);
    await Promise.all(this.topology.nodes.map((node) => waitForAgent(this.place, node)));
  }

  /** The egress IP of the server's family. Policies name an IPv4 one; of IPv6 it is the first. */
  egressOf([name, i]: Gateway, server: string): string {
    const node = this.topology.nodes.find((one) => one.name === name);
    const egress = server.includes(":") ? node?.egress[0]?.[1] : node?.egress[i]?.[0];
    assert.ok(egress !== undefined, `${name} has no egress IP ${i}`);
    return egress;
  }

  /** The egress IPs of both families. */
  egressIPs(gateways: readonly Gateway[]): string[] {
    const { server } = this.topology;
    return gateways.flatMap((one) => server.map((address) => this.egressOf(one, address)));
  }

  /** Sends what all pods send to the outside through these gateways. */
  async applyPolicy(gateways: readonly Gateway[]): Promise<void> {
    const entries = gateways.map((gateway) => ({
      nodeSelector: { matchLabels: { "kubernetes.io/hostname": gateway[0] } },
      egressIP: this.egressOf(gateway, ""),
    }));
    await (await objectsOf(this.place)).put({
      apiVersion: "cilium.io/v2",
      kind: "CiliumEgressGatewayPolicy",
      metadata: { name: "outside", uid: "outside", creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: {
        selectors: [{ podSelector: {} }],
        destinationCIDRs: ["0.0.0.0/0", "::/0"],
        egressGateways: entries,
      },
    });
  }

  /** What the objects and the nodes' kernels say now. */
  expected(): Promise<Expectation[]> {
    return expectations(this.place, this.topology);
  }

  /** Waits until new flows of all pods leave as planned; how many were opened. */
  async settle(expected?: readonly Expectation[]): Promise<number> {
    const plan = expected ?? (await this.expected());
    const deadline = performance.now() + SETTLE_MS;
    for (let opened = 0; ; ) {
      const flows = this.flows(this.pods, { label: `new-${++this.#news}` });
      await this.open(flows, NEW_FLOW_MS);
      const sources = await this.sources(flows);
      await this.finish(flows);
      opened += flows.length;
      const wrong = flows.filter((flow, i) => !isPlanned(plan, flow, sources[i] ?? []));
      if (wrong.length === 0) return opened;
      assert.ok(performance.now() < deadline, `not as planned: ${namesOf(wrong).join(", ")}`);
      await sleep(AGAIN_MS);
    }
  }

  /**
   * Runs `work` below the sniffer, which must not see any other source of packets to the server, or
   * to other addresses on its cable.
   */
  async watch<T>(
    promised: readonly string[],
    work: () => Promise<T>,
    server: readonly string[] = this.topology.server,
  ): Promise<T> {
    const { place, topology } = this;
    const lab = { place, topology: { ...topology, server } };
    const { sniffed, value } = await Sniffer.during(lab, work);
    const leaks = leaksOf(sniffed.sources, new Set(promised));
    assert.deepEqual({ leaks, missed: sniffed.missed }, { leaks: [], missed: 0 });
    assert.ok(sniffed.sources.size > 0, "the sniffer saw nothing");
    return value;
  }
}

interface Source {
  readonly address: string;
  readonly port: number;
}

function isPlanned(
  plan: readonly Expectation[],
  { pod, server }: LabFlow,
  sources: readonly Source[],
): boolean {
  const wanted = plan.find((one) => one.pod === pod && one.server === server);
  const [source] = sources;
  if (wanted?.kind === "drop") return source === undefined;
  const fits = source !== undefined && wanted?.addresses.includes(source.address) === true;
  return fits && sources.length === 1;
}

export function namesOf(flows: readonly LabFlow[]): string[] {
  return flows.map(({ name }) => name);
}

/** Those that broke or got no answer. */
export function brokenOf(reports: readonly FlowReport[]): FlowReport[] {
  return reports.filter(({ sent, answered, broken }) => broken !== null || sent !== answered);
}

export function assertWhole(reports: readonly FlowReport[]): void {
  assert.ok(reports.length > 0);
  assert.deepEqual(brokenOf(reports), []);
}
