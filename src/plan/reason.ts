// Why the datapath did what it did with a packet: one table for the programs' counters, nftables'
// counters, metrics and documents. The order of the programs' reasons is that of
// `enum sluice_reason` in bpf/sluice.h; a test compares them.

export interface Reason {
  /** As metrics and documents show it. */
  readonly name: string;
  /** Who counts it. */
  readonly counter: "program" | "nftables";
  /** Whether packets counted under it were dropped. */
  readonly drop: boolean;
  readonly meaning: string;
  /** What to do when it grows; empty: nothing is wrong. */
  readonly remedy: string;
}

/** The programs' reasons first, in the order of the enum. */
export const REASONS: readonly Reason[] = [
  {
    name: "NotIP",
    counter: "program",
    drop: false,
    meaning: "a pod sent something that is neither IPv4 nor IPv6, or is cut short; left alone",
    remedy: "",
  },
  {
    name: "ClusterDestination",
    counter: "program",
    drop: false,
    meaning: "a pod sent to the inside of the cluster, or to something near; left alone",
    remedy: "",
  },
  {
    name: "NoRow",
    counter: "program",
    drop: false,
    meaning: "no policy covers this packet; left alone",
    remedy: "",
  },
  {
    name: "Excluded",
    counter: "program",
    drop: false,
    meaning: "a policy excludes this destination; left alone",
    remedy: "",
  },
  {
    name: "ProposedTunnel",
    counter: "program",
    drop: false,
    meaning: "a row names another node as gateway; a new flow goes through the tunnel",
    remedy: "",
  },
  {
    name: "ProposedLocal",
    counter: "program",
    drop: false,
    meaning: "a row names this node as gateway; a new flow is translated here",
    remedy: "",
  },
  {
    name: "ProposedDrop",
    counter: "program",
    drop: false,
    meaning: "a new flow would be dropped; which were is counted by the reasons of nftables",
    remedy: "",
  },
  {
    name: "SpoofedSource",
    counter: "program",
    drop: true,
    meaning: "a pod sent with the address of another endpoint, or with an egress IP",
    remedy: "find the pod of this node that forges addresses, by tcpdump at the pods' devices",
  },
  {
    name: "SpoofedTunnel",
    counter: "program",
    drop: true,
    meaning: "a tunnel packet came from a node on which the inner source does not live",
    remedy: "if it lasts, compare the nodes' views with `sluice status`; else find the sender",
  },
  {
    name: "SpoofedReply",
    counter: "program",
    drop: true,
    meaning: "a node that is no gateway of this node's pods sent them a tunnel packet",
    remedy: "find out who sends it there: answers come from gateways alone",
  },
  {
    name: "ForeignTunnel",
    counter: "program",
    drop: true,
    meaning: "a tunnel packet with another VNI, or of no node that we know",
    remedy: "see who else uses this UDP port; choose another with --tunnel-port",
  },
  {
    name: "NotServed",
    counter: "program",
    drop: true,
    meaning: "a tunnel packet for the inside of the cluster that is no answer for a pod here",
    remedy: "the sender's view of the cluster is older than ours; it should pass in seconds",
  },
  {
    name: "TunnelRequest",
    counter: "program",
    drop: false,
    meaning: "a request arrived through the tunnel and has an egress IP here",
    remedy: "",
  },
  {
    name: "TunnelReply",
    counter: "program",
    drop: false,
    meaning: "an answer arrived through the tunnel for a pod of this node",
    remedy: "",
  },
  {
    name: "SentRequest",
    counter: "program",
    drop: false,
    meaning: "a request was sent through the tunnel to its gateway",
    remedy: "",
  },
  {
    name: "SentReply",
    counter: "program",
    drop: false,
    meaning: "an answer was sent through the tunnel to the pod's node",
    remedy: "",
  },
  {
    name: "UnknownEndpoint",
    counter: "program",
    drop: true,
    meaning: "an answer has no way back: no endpoint has its address any more",
    remedy: "",
  },
  {
    name: "GatewayGone",
    counter: "program",
    drop: true,
    meaning: "a flow's gateway is no node of this cluster any more",
    remedy: "clients must connect again; drain gateways before they are removed",
  },
  {
    name: "StrayTunnel",
    counter: "program",
    drop: true,
    meaning: "something that is no policy traffic was sent into the tunnel device",
    remedy: "a few are the kernel's own reports; if it grows, see `ip route show table all`",
  },
  {
    name: "NoGateway",
    counter: "nftables",
    drop: true,
    meaning: "a new flow's policy has no gateway: none of its entries matches a node",
    remedy: "label a node for the policy's gateways; `sluice explain` names the entries",
  },
  {
    name: "UnknownGateway",
    counter: "nftables",
    drop: true,
    meaning: "a new flow's gateway is not known here yet",
    remedy: "if it lasts, see that the gateway has a Node object with an internal IPv4 address",
  },
  {
    name: "NoRowAtGateway",
    counter: "nftables",
    drop: true,
    meaning: "a request reached a gateway that has no row for it: its view is older",
    remedy: "if it lasts, compare the nodes' views with `sluice status`",
  },
  {
    name: "NoEgressIP",
    counter: "nftables",
    drop: true,
    meaning: "the gateway of a new flow has no egress IP for it",
    remedy: "give the gateway the address or interface that the policy names",
  },
  {
    name: "Invalid",
    counter: "nftables",
    drop: true,
    meaning: "connection tracking finds a packet of policy traffic invalid",
    remedy: "a few are normal; many: the connection tracking table may be full",
  },
  {
    name: "Untranslated",
    counter: "nftables",
    drop: true,
    meaning: "a policy packet would have left with an address that is no egress IP",
    remedy: "report it: something else translates or routes policy traffic on this node",
  },
  {
    name: "UnknownFlow",
    counter: "nftables",
    drop: true,
    meaning: "an answer came through the tunnel for a flow that this node does not know",
    remedy: "",
  },
  {
    name: "Unclassified",
    counter: "nftables",
    drop: true,
    meaning: "a pod that is not classified yet opened a flow to the outside; it tries again",
    remedy:
      "if it lasts, `sluice status` lists the pods that wait and why; of a pod that it does not " +
      "list the agent has no object: see the Pod's status.podIPs",
  },
  {
    name: "ChangingHands",
    counter: "nftables",
    drop: true,
    meaning: "a pod with the address of a former one opened a flow before its rows stood",
    remedy: "it tries again; if it lasts, see in `sluice status` which step of the agent fails",
  },
  {
    name: "ServiceToOutside",
    counter: "nftables",
    drop: true,
    meaning: "a pod with rows used a service whose backend is outside the cluster",
    remedy: "let the pod use the outside address itself, or exclude the pod from the policy",
  },
  {
    name: "TunnelIntruder",
    counter: "nftables",
    drop: true,
    meaning: "a packet to the tunnel's port that does not come from a node",
    remedy: "find the sender: somebody tries to use the gateways",
  },
];
