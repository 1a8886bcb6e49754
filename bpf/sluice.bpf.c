// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three programs that classify packets; the kernel's connection tracking, routing and nftables act
 * on the marks that they set. Each returns "go on" (TC_ACT_UNSPEC, so that later programs on the
 * hook run too) or drops, and counts one reason on every exit.
 *
 *   sluice_from_pod     ingress of a pod's device   proposes a gateway, by the mark
 *   sluice_to_tunnel    egress of the tunnel        mark -> outer destination
 *   sluice_from_tunnel  ingress of the tunnel       right sender? a request, or an answer?
 *
 * None of them reads behind the IP header: connection tracking knows the flows, so that fragments,
 * extension headers and unknown protocols are no special case.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice.h"
#include "maps.h"
#include "packet.h"
#include "verdict.h"

/* Looking up. */

/* Does it go to the inside of the cluster (rule 8.2)? */
static __always_inline bool goes_inside(const struct packet *packet)
{
	struct sluice_cluster_key key = { .prefixlen = 128, .address = packet->destination };

	return bpf_map_lookup_elem(&sluice_cluster, &key);
}

/* Did it come from another device than that of its source (rule 8.9)? */
static __always_inline bool is_borrowed(struct __sk_buff *skb, const struct packet *packet)
{
	struct sluice_endpoint *owner = bpf_map_lookup_elem(&sluice_endpoints, &packet->source);

	/* No endpoint's: there are no rows, but an egress IP is not a pod's to send from either. */
	if (!owner)
		return bpf_map_lookup_elem(&sluice_egress, &packet->source);
	if (owner->node != settings.self)
		return true;
	/* A new pod whose device is not found yet: nftables holds its new flows (rule 8.7). */
	if (!owner->ifindex)
		return false;
	return owner->ifindex != skb->ifindex;
}

struct row {
	struct sluice_address egress_ip;
	__be32 gateway_ip;
};

#define GATEWAY_DROP bpf_htonl(0)
#define GATEWAY_EXCLUDED bpf_htonl(1)

/* The policy row of the longest prefix (rule 7.3). */
static __always_inline bool find_row(const struct packet *packet, struct row *row)
{
	if (packet->ipv4) {
		struct sluice_policy_key4 key = { .prefixlen = 64,
						  .source = packet->source.words[3],
						  .destination = packet->destination.words[3] };
		struct sluice_policy_value4 *value =
			bpf_map_lookup_elem(&cilium_egress_gw_policy_v4_v2, &key);

		if (!value)
			return false;
		row->egress_ip = map_ipv4(value->egress_ip);
		row->gateway_ip = value->gateway_ip;
	} else {
		struct sluice_policy_key6 key = { .prefixlen = 256,
						  .source = packet->source,
						  .destination = packet->destination };
		struct sluice_policy_value6 *value =
			bpf_map_lookup_elem(&cilium_egress_gw_policy_v6, &key);

		if (!value)
			return false;
		row->egress_ip = value->egress_ip;
		row->gateway_ip = value->gateway_ip;
	}
	return true;
}

/* The index that stands for an egress IP in marks; an unspecified one is in no map. */
static __always_inline __u32 egress_index(const struct row *row)
{
	__u32 *index = bpf_map_lookup_elem(&sluice_egress, &row->egress_ip);

	return index ? *index : SLUICE_INDEX_NO_EGRESS_IP;
}

static __always_inline __u32 gateway_index(const struct row *row)
{
	__u32 *index = bpf_map_lookup_elem(&sluice_gateways, &row->gateway_ip);

	return index ? *index : SLUICE_INDEX_UNKNOWN_GATEWAY;
}

static __always_inline bool is_endpoint_of(const struct sluice_address *address, __be32 node)
{
	struct sluice_endpoint *endpoint = bpf_map_lookup_elem(&sluice_endpoints, address);

	return endpoint && endpoint->node == node;
}

/* From a pod. */

/*
 * Says by the mark what should become of the packet if it begins a flow: whether it does is known
 * to connection tracking, a few steps on. So a proposal never drops.
 */
static __always_inline int propose(struct __sk_buff *skb, const struct row *row)
{
	__u32 index;

	if (row->gateway_ip == GATEWAY_DROP) {
		set_mark(skb, SLUICE_CLASS_TUNNEL, SLUICE_INDEX_NONE);
		return go_on(REASON_PROPOSED_DROP);
	}
	if (row->gateway_ip == settings.self) {
		index = egress_index(row);
		set_mark(skb, SLUICE_CLASS_LOCAL, index);
		return go_on(index <= SLUICE_INDEX_MAX ? REASON_PROPOSED_LOCAL
						       : REASON_PROPOSED_DROP);
	}
	index = gateway_index(row);
	set_mark(skb, SLUICE_CLASS_TUNNEL, index);
	return go_on(index <= SLUICE_INDEX_MAX ? REASON_PROPOSED_TUNNEL : REASON_PROPOSED_DROP);
}

SEC("tc")
int sluice_from_pod(struct __sk_buff *skb)
{
	struct packet packet;
	struct row row;

	switch (parse(skb, &packet)) {
	case PARSED_IP:
		break;
	case PARSED_NOT_IP:
		/* Fails open: ARP and the like are none of our business. */
		return go_on(REASON_NOT_IP);
	case PARSED_OBSCURE:
		/* Fails closed: whose packet it is cannot be told. */
		return drop(REASON_SPOOFED_SOURCE);
	}
	if (goes_inside(&packet))
		return go_on(REASON_CLUSTER_DESTINATION);
	if (is_borrowed(skb, &packet))
		return drop(REASON_SPOOFED_SOURCE);
	/* Fails open: what no policy covers takes the ordinary path (rule 8.3). */
	if (!find_row(&packet, &row))
		return go_on(REASON_NO_ROW);
	if (row.gateway_ip == GATEWAY_EXCLUDED)
		return go_on(REASON_EXCLUDED);
	return propose(skb, &row);
}

/* Into the tunnel. */

static __always_inline bool encapsulate(struct __sk_buff *skb, __be32 node)
{
	struct bpf_tunnel_key key;

	/*
	 * An initialiser leaves the rest of the addresses' unions as the stack has it, which the
	 * verifier refuses to programs loaded without CAP_PERFMON.
	 */
	__builtin_memset(&key, 0, sizeof(key));
	key.tunnel_id = settings.vni;
	/* Host order, unlike every other address here. */
	key.remote_ipv4 = bpf_ntohl(node);
	/* Whatever source a route would prefer: the other end knows us by this one. */
	key.local_ipv4 = bpf_ntohl(settings.self);
	key.tunnel_ttl = 64;

	/* The outer packet keeps the mark: ours would route it into the tunnel again. */
	clear_mark(skb);
	return !bpf_skb_set_tunnel_key(skb, &key, sizeof(key),
				       BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT);
}

static __always_inline int send_request(struct __sk_buff *skb, __u32 index)
{
	__be32 *gateway = bpf_map_lookup_elem(&sluice_gateway_by_index, &index);

	if (!gateway)
		return drop(REASON_GATEWAY_GONE);
	if (!encapsulate(skb, *gateway))
		return drop(REASON_STRAY_TUNNEL);
	return go_on(REASON_SENT_REQUEST);
}

static __always_inline int send_reply(struct __sk_buff *skb, const struct packet *packet)
{
	struct sluice_endpoint *endpoint =
		bpf_map_lookup_elem(&sluice_endpoints, &packet->destination);

	if (!endpoint || endpoint->node == settings.self)
		return drop(REASON_UNKNOWN_ENDPOINT);
	if (!encapsulate(skb, endpoint->node))
		return drop(REASON_STRAY_TUNNEL);
	return go_on(REASON_SENT_REPLY);
}

SEC("tc")
int sluice_to_tunnel(struct __sk_buff *skb)
{
	__u32 mark = (skb->mark & mark_mask()) >> settings.mark_shift;
	__u32 index = mark & SLUICE_INDEX_MASK;
	struct packet packet;

	/* Fails closed: only what a decision sent here has a way on. */
	if (parse(skb, &packet) != PARSED_IP)
		return drop(REASON_STRAY_TUNNEL);
	switch (mark >> SLUICE_INDEX_BITS) {
	case SLUICE_CLASS_TUNNEL:
		/* A proposal to drop, or an answer on the wrong way. */
		if (index == SLUICE_INDEX_NONE || index > SLUICE_INDEX_MAX)
			return drop(REASON_STRAY_TUNNEL);
		return send_request(skb, index);
	case SLUICE_CLASS_GATEWAY:
		return send_reply(skb, &packet);
	default:
		return drop(REASON_STRAY_TUNNEL);
	}
}

/* Out of the tunnel. */

/* Puts the address of the node that sent it into `sender`. */
static __always_inline bool comes_from_node(struct __sk_buff *skb, __be32 *sender)
{
	struct bpf_tunnel_key key = {};

	if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0))
		return false;
	*sender = bpf_htonl(key.remote_ipv4);
	return key.tunnel_id == settings.vni && bpf_map_lookup_elem(&sluice_nodes, sender);
}

/*
 * Is it a gateway that a pod of this node may have a flow with (rule 8.9)? One that no row names
 * any more keeps its index, so the flows that it began here get their answers.
 */
static __always_inline bool may_answer(__be32 sender)
{
	return bpf_map_lookup_elem(&sluice_gateways, &sender);
}

/* The inner frame is addressed to nobody's MAC; the stack shall take it. */
static __always_inline int deliver(struct __sk_buff *skb, enum sluice_reason reason)
{
	bpf_skb_change_type(skb, PACKET_HOST);
	return go_on(reason);
}

/* The mark of a request: which egress IP of ours it gets if it begins a flow. */
static __always_inline __u32 served_index(const struct packet *packet)
{
	struct row row;

	/* The node that sent it has an older or newer view (rule 8.6); its flows may go on. */
	if (!find_row(packet, &row))
		return SLUICE_INDEX_NONE;
	if (row.gateway_ip == GATEWAY_DROP || row.gateway_ip == GATEWAY_EXCLUDED)
		return SLUICE_INDEX_NONE;
	return egress_index(&row);
}

static __always_inline int serve(struct __sk_buff *skb, __u32 index)
{
	bool served = index != SLUICE_INDEX_NONE && index <= SLUICE_INDEX_MAX;

	set_mark(skb, SLUICE_CLASS_GATEWAY, index);
	return deliver(skb, served ? REASON_TUNNEL_REQUEST : REASON_PROPOSED_DROP);
}

SEC("tc")
int sluice_from_tunnel(struct __sk_buff *skb)
{
	struct sluice_endpoint *endpoint;
	struct packet packet;
	__be32 sender;

	/* Fails closed on every exit: only nodes send here, and only what they classified. */
	if (!comes_from_node(skb, &sender) || parse(skb, &packet) != PARSED_IP)
		return drop(REASON_FOREIGN_TUNNEL);
	if (is_endpoint_of(&packet.destination, settings.self)) {
		if (!may_answer(sender))
			return drop(REASON_SPOOFED_REPLY);
		set_mark(skb, SLUICE_CLASS_TUNNEL, SLUICE_INDEX_REPLY);
		return deliver(skb, REASON_TUNNEL_REPLY);
	}
	if (goes_inside(&packet))
		return drop(REASON_NOT_SERVED);
	endpoint = bpf_map_lookup_elem(&sluice_endpoints, &packet.source);
	/* Gone, or too new for our view: a flow that it has here may go on, no other begins. */
	if (!endpoint)
		return serve(skb, SLUICE_INDEX_NONE);
	if (endpoint->node != sender)
		return drop(REASON_SPOOFED_TUNNEL);
	return serve(skb, served_index(&packet));
}

/* The helpers for tunnel keys are for GPL programs. */
char _license[] SEC("license") = "GPL";
