/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the programs (sluice.bpf.c) and the agent: marks, reasons, and what lies in
 * the maps, byte by byte. src/reconcile/mark.ts, src/plan/reason.ts and
 * src/reconcile/datapath-maps.ts say the same in TypeScript; test/kernel/abi.test.ts compares them.
 *
 * The directory of the pinned maps has the version in its name. Whoever changes a key, a value, or
 * what a mark means in a way that the programs of the release before do not understand raises it
 * there (datapath-maps.ts): an upgrade swaps programs one by one, below running traffic.
 */
#ifndef SLUICE_H
#define SLUICE_H

#include <linux/types.h>

/*
 * Ours of a packet's mark: 14 bits, shifted left by sluice_settings.mark_shift.
 *
 *   13  12 11           0
 *  +------+--------------+
 *  | class|    index     |
 *  +------+--------------+
 */
#define SLUICE_MARK_MASK 0x3fffu
#define SLUICE_INDEX_BITS 12
#define SLUICE_INDEX_MASK 0xfffu

enum sluice_class {
	/* Leaves this node through the tunnel; the index names the gateway. */
	SLUICE_CLASS_TUNNEL = 1,
	/* Came through the tunnel to be translated here; the index names the egress IP. */
	SLUICE_CLASS_GATEWAY = 2,
	/* From a pod of this node, translated here; the index names the egress IP. */
	SLUICE_CLASS_LOCAL = 3,
};

/* 1 to SLUICE_INDEX_MAX name something; these propose to drop, but for the answer. */
#define SLUICE_INDEX_NONE 0u
#define SLUICE_INDEX_MAX 0xff0u
#define SLUICE_INDEX_UNKNOWN_GATEWAY 0xffdu
#define SLUICE_INDEX_NO_EGRESS_IP 0xffeu
#define SLUICE_INDEX_REPLY 0xfffu

/* Why a packet was treated as it was: a slot of the counters. The order of src/plan/reason.ts. */
enum sluice_reason {
	REASON_NOT_IP,
	REASON_CLUSTER_DESTINATION,
	REASON_NO_ROW,
	REASON_EXCLUDED,
	REASON_PROPOSED_TUNNEL,
	REASON_PROPOSED_LOCAL,
	REASON_PROPOSED_DROP,
	REASON_SPOOFED_SOURCE,
	REASON_SPOOFED_TUNNEL,
	REASON_SPOOFED_REPLY,
	REASON_FOREIGN_TUNNEL,
	REASON_NOT_SERVED,
	REASON_TUNNEL_REQUEST,
	REASON_TUNNEL_REPLY,
	REASON_SENT_REQUEST,
	REASON_SENT_REPLY,
	REASON_UNKNOWN_ENDPOINT,
	REASON_GATEWAY_GONE,
	REASON_STRAY_TUNNEL,
	REASONS,
};

/* Constants of the loaded programs. */
struct sluice_settings {
	__be32 self; /* this node's address: its end of the tunnel */
	__u32 vni;
	__u32 mark_shift;
};

/* IPv6, or IPv4 as ::ffff:a.b.c.d. */
struct sluice_address {
	__be32 words[4];
};

/* sluice_endpoints: an endpoint's address -> where it lives. */
struct sluice_endpoint {
	__be32 node;
	__u32 ifindex; /* 0: on another node, or not found yet */
};

/* sluice_cluster: prefixes inside the cluster; the value says nothing. */
struct sluice_cluster_key {
	__u32 prefixlen; /* an IPv4 prefix's length plus 96 */
	struct sluice_address address;
};

/*
 * The policy maps are Cilium's (SEMANTICS 7.5): source, destination prefix -> egress IP, gateway.
 * A gateway of 0.0.0.0 drops, 0.0.0.1 leaves the packet alone.
 */
struct sluice_policy_key4 {
	__u32 prefixlen; /* 32 + the destination's length */
	__be32 source;
	__be32 destination;
};

struct sluice_policy_value4 {
	__be32 egress_ip;
	__be32 gateway_ip;
	__u32 reserved[3];
	__u32 egress_ifindex;
	__u32 reserved2;
};

struct sluice_policy_key6 {
	__u32 prefixlen; /* 128 + the destination's length */
	struct sluice_address source;
	struct sluice_address destination;
};

struct sluice_policy_value6 {
	struct sluice_address egress_ip;
	__be32 gateway_ip;
	__u32 reserved[3];
	__u32 egress_ifindex;
	__u32 reserved2;
};

/* No structure has padding: sizes are sums, so offsets follow from them. */
_Static_assert(sizeof(struct sluice_settings) == 12, "settings");
_Static_assert(sizeof(struct sluice_address) == 16, "address");
_Static_assert(sizeof(struct sluice_endpoint) == 8, "endpoint");
_Static_assert(__builtin_offsetof(struct sluice_endpoint, ifindex) == 4, "endpoint's ifindex");
_Static_assert(sizeof(struct sluice_cluster_key) == 20, "cluster key");
_Static_assert(sizeof(struct sluice_policy_key4) == 12, "policy key, IPv4");
_Static_assert(sizeof(struct sluice_policy_value4) == 28, "policy value, IPv4");
_Static_assert(__builtin_offsetof(struct sluice_policy_value4, egress_ifindex) == 20, "ifindex");
_Static_assert(sizeof(struct sluice_policy_key6) == 36, "policy key, IPv6");
_Static_assert(sizeof(struct sluice_policy_value6) == 40, "policy value, IPv6");
_Static_assert(__builtin_offsetof(struct sluice_policy_value6, egress_ifindex) == 32, "ifindex");

#endif
