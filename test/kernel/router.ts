// A node in miniature, around this process's own network namespace: a pod on one side, the outside
// on the other, each in a namespace of its own. Marks that our programs would set are set by a
// foreign nftables table, which also counts what it sees.
//
//   pod  10.244.1.5 ---- pod0 | this namespace | out0 198.51.100.31 ---- 198.51.100.2  outside
//                                              | out1 203.0.113.31 ----- 203.0.113.2   192.0.2.9

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import type { KernelState, Route } from "../../src/net/kernel-state.ts";
import type { NodeDatapath } from "../../src/reconcile/datapath.ts";
import { address, prefix } from "../support/sample-plan.ts";
import { shell, startPod } from "./private-netns.ts";

/** Long enough for an answer on one machine; what has none after it was dropped. */
const ANSWER_S = 1.5;

/** UDP ports that do not even answer that nobody listens. */
const SILENT_PORTS = [20, 21];

export interface Side {
  readonly family: "IPv4" | "IPv6";
  readonly ip: "ip" | "ip6";
  readonly pod: string;
  readonly outside: string;
  readonly egress: string;
  /** Reached from each of the two outer devices. */
  readonly far: string;
  readonly service: string;
}

export const SIDES: readonly Side[] = [
  {
    family: "IPv4",
    ip: "ip",
    pod: "10.244.1.5",
    outside: "198.51.100.2",
    egress: "198.51.100.31",
    far: "192.0.2.9",
    service: "10.96.0.1",
  },
  {
    family: "IPv6",
    ip: "ip6",
    pod: "fd00:244:1::5",
    outside: "2001:db8:100::2",
    egress: "2001:db8:100::31",
    far: "2001:db8:9::9",
    service: "fd00:96::1",
  },
];

export const DATAPATH: NodeDatapath = {
  self: address("172.20.0.11"),
  nodes: ["172.20.0.11", "172.20.0.12"].map(address),
  clusterPrefixes: [
    "10.96.0.0/16",
    "10.244.0.0/16",
    "172.20.0.0/24",
    "fd00:96::/32",
    "fd00:244::/32",
  ].map(prefix),
  podPrefixes: ["10.244.0.0/16", "fd00:244::/32"].map(prefix),
  ownPodPrefixes: ["10.244.1.0/24", "fd00:244:1::/64"].map(prefix),
  endpoints: [],
  gateways: [{ index: 1, address: address("172.20.0.12") }],
  egressIPs: [
    { index: 1, address: address("198.51.100.31"), device: "out0" },
    { index: 2, address: address("203.0.113.31"), device: "out1" },
    { index: 3, address: address("2001:db8:100::31"), device: "out0" },
    { index: 4, address: address("2001:db8:113::31"), device: "out1" },
  ],
  classified: SIDES.map(({ pod }) => ({ interface: "pod0", address: address(pod) })),
  selected: SIDES.map(({ pod }) => address(pod)),
  podDevices: [],
};

function route(text: string, device: string, via?: string): Route {
  const destination = prefix(text);
  return {
    family: text.includes(":") ? "IPv6" : "IPv4",
    destination,
    device,
    via: via === undefined ? undefined : address(via),
    metric: text.includes(":") ? 1024 : 0,
    table: 254,
    protocol: 3,
  };
}

/** What the kernel here has that matters to the sinks. */
export const KERNEL: KernelState = {
  links: [],
  neighbours: [],
  bridgeEntries: [],
  routes: [
    route("0.0.0.0/0", "out0", "198.51.100.2"),
    route("198.51.100.0/24", "out0"),
    route("203.0.113.0/24", "out1"),
    { ...route("0.0.0.0/0", "out1", "203.0.113.2"), metric: 200 },
    route("10.244.1.5/32", "pod0"),
    route("::/0", "out0", "2001:db8:100::2"),
    route("2001:db8:100::/64", "out0"),
    route("2001:db8:113::/64", "out1"),
    { ...route("::/0", "out1", "2001:db8:113::2"), metric: 2000 },
    route("fe80::/64", "out1"),
  ],
};

export class Router {
  readonly #pod: number;
  readonly #outside: number;

  private constructor(pod: number, outside: number) {
    this.#pod = pod;
    this.#outside = outside;
  }

  /** Wires it up; strict rp_filter, and a CNI's masquerading. All of it goes with the test. */
  static async start(t: TestContext): Promise<Router> {
    const router = new Router(await startPod(t), await startPod(t));
    router.#wire();
    t.after(() => {
      shell("for d in pod0 out0 out1; do ip link del $d 2>/dev/null || true; done");
      shell("nft delete table inet foreign; nft delete table inet cni");
      shell("conntrack -F 2>/dev/null");
    });
    return router;
  }

  #wire(): void {
    shell(`
      sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
      sysctl -qw net.ipv4.conf.all.rp_filter=1
      ip link add pod0 type veth peer name eth0 netns ${this.#pod}
      ip link add out0 type veth peer name eth0 netns ${this.#outside}
      ip link add out1 type veth peer name eth1 netns ${this.#outside}
      ip address add 198.51.100.31/24 dev out0
      ip address add 203.0.113.31/24 dev out1
      ip -6 address add 2001:db8:100::31/64 dev out0 nodad
      ip -6 address add 2001:db8:113::31/64 dev out1 nodad
      ip address add 10.244.1.1/32 dev pod0
      ip -6 address add fd00:244:1::1/64 dev pod0 nodad
      # Without link-local addresses, which would come while a test looks.
      for d in pod0 out0 out1; do ip link set $d addrgenmode none; ip link set $d up; done
      ip route add 10.244.1.5 dev pod0
      ip route add default via 198.51.100.2
      ip route add default via 203.0.113.2 metric 200
      ip -6 route add default via 2001:db8:100::2
      ip -6 route add default via 2001:db8:113::2 metric 2000
      nft -f - <<'END'
      table inet foreign {
        chain propose { type filter hook prerouting priority raw ; }
        chain bits { type filter hook prerouting priority mangle ; }
        chain seen { type filter hook postrouting priority 300 ; }
      }
      table inet cni {
        chain leaving { type nat hook postrouting priority srcnat ;
          ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade
          ip6 saddr fd00:244::/32 ip6 daddr != fd00:244::/32 masquerade
        }
      }
END`);
    this.inPod(`
      ip link set lo up; ip link set eth0 up
      ip address add 10.244.1.5/24 dev eth0; ip route add default via 10.244.1.1
      ip -6 address add fd00:244:1::5/64 dev eth0 nodad; ip -6 route add default via fd00:244:1::1
    `);
    this.inOutside(`
      sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
      sysctl -qw net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
      for d in lo eth0 eth1; do ip link set $d up; done
      ip address add 198.51.100.2/24 dev eth0; ip address add 203.0.113.2/24 dev eth1
      ip -6 address add 2001:db8:100::2/64 dev eth0 nodad
      ip -6 address add 2001:db8:113::2/64 dev eth1 nodad
      ip address add 192.0.2.9/32 dev lo; ip -6 address add 2001:db8:9::9/128 dev lo nodad
      nft add table inet watch
      nft add table inet quiet
      nft "add chain inet quiet in { type filter hook input priority 0 ; }"
      nft "add rule inet quiet in udp dport { ${SILENT_PORTS.join(", ")} } drop"
    `);
  }

  /** Where sockets of the pod and of the outside are made. */
  get podNamespace(): string {
    return `/proc/${this.#pod}/ns/net`;
  }

  get outsideNamespace(): string {
    return `/proc/${this.#outside}/ns/net`;
  }

  inPod(script: string): string {
    return shell(`nsenter -t ${this.#pod} -n sh -ec '${script}'`);
  }

  inOutside(script: string): string {
    return shell(`nsenter -t ${this.#outside} -n sh -ec '${script}'`);
  }

  /** What the programs would do: the pod's packets get this mark, foreign bits included. */
  propose(mark: number | undefined, more: { from?: string; then?: string } = {}): void {
    shell("nft flush chain inet foreign propose");
    const set = mark === undefined ? "" : `meta mark set ${mark}`;
    // Like the programs, which leave neighbour discovery alone.
    const packets = `iifname ${more.from ?? "pod0"} meta l4proto { tcp, udp }`;
    const rule = `${packets} ${set} ${more.then ?? ""}`.trim();
    shell(`nft add rule inet foreign propose '${rule}'`);
  }

  /** Counts what fits the expression when it leaves this node, from now on. */
  watch(...expressions: readonly string[]): () => number[] {
    shell("nft flush chain inet foreign seen");
    for (const one of expressions) shell(`nft add rule inet foreign seen ${one} counter`);
    return () => counts(shell("nft -j list chain inet foreign seen"));
  }

  /** Counts what arrives outside and fits the expression, from now on. */
  watchOutside(expression: string): () => number {
    const hook = "type filter hook prerouting priority raw ;";
    this.inOutside(`nft flush table inet watch; nft delete chain inet watch in 2>/dev/null || true
      nft "add chain inet watch in { ${hook} }"; nft add rule inet watch in ${expression} counter`);
    return () => counts(this.inOutside("nft -j list chain inet watch in"))[0] ?? 0;
  }

  /** A TCP connection to a port where nobody listens: true if the refusal came back. */
  connects(to: string): boolean {
    return this.#bash(`exec 3<>/dev/tcp/${to}/9`, this.#pod).includes("refused");
  }

  /** One UDP datagram from the pod. */
  sends(to: string, port = 9): void {
    this.#bash(`echo > /dev/udp/${to}/${port}`, this.#pod);
  }

  /** A UDP socket in the pod; each `send` is a datagram, and is over when it was sent. */
  openFlow(t: TestContext, to: string, port: number): { send(): Promise<void> } {
    const script = `exec 3<>/dev/udp/${to}/${port}; while read; do echo >&3; echo; done`;
    const args = ["-t", String(this.#pod), "-n", "bash", "-c", script];
    const child = spawn("nsenter", args, { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => child.kill());
    return {
      async send() {
        child.stdin.write("\n");
        await once(child.stdout, "data");
      },
    };
  }

  /** One UDP datagram from the outside. */
  sendsFromOutside(to: string, port: number): void {
    this.#bash(`echo > /dev/udp/${to}/${port}`, this.#outside);
  }

  #bash(script: string, pid: number): string {
    const args = ["-t", String(pid), "-n", "timeout", String(ANSWER_S), "bash", "-c", script];
    return spawnSync("nsenter", args, { encoding: "utf8" }).stderr;
  }
}

function counts(json: string): number[] {
  const { nftables } = JSON.parse(json) as { nftables: { rule?: { expr: object[] } }[] };
  return nftables.flatMap(({ rule }) =>
    (rule?.expr ?? []).flatMap((one) =>
      "counter" in one ? [(one.counter as { packets: number }).packets] : [],
    ),
  );
}

/** Everything that sinks might touch and must give back, as text. */
export function snapshot(): string {
  return shell(`
    ip rule; ip -6 rule; ip route show table all; ip -6 route show table all | sed "s/ expires.*//"
    ip -br link; nft -s list ruleset
    cat /proc/sys/net/ipv4/conf/*/src_valid_mark /proc/sys/net/ipv4/conf/*/forwarding
    cat /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv6/conf/*/forwarding`);
}
