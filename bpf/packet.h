/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parsing: who sends to whom, behind whatever tags. Nothing behind the addresses is read.
 */
#ifndef SLUICE_PACKET_H
#define SLUICE_PACKET_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sluice.h"

struct packet {
	struct sluice_address source;
	struct sluice_address destination;
	bool ipv4;
};

enum parsed {
	PARSED_IP,
	PARSED_NOT_IP,	/* or cut short; the kernel has no use for these either */
	PARSED_OBSCURE, /* IP in a form that hides what it is; nobody sends that by mistake */
};

struct vlan_tag {
	__be16 id;
	__be16 protocol;
};

#define VLAN_TAGS_MAX 4

#define IPV4_ADDRESSES_AT 12
#define IPV6_ADDRESSES_AT 8

#define MAPPED bpf_htonl(0xffff)

static __always_inline bool is_mapped(const struct sluice_address *address)
{
	return !address->words[0] && !address->words[1] && address->words[2] == MAPPED;
}

static __always_inline struct sluice_address map_ipv4(__be32 address)
{
	return (struct sluice_address){ .words = { 0, 0, MAPPED, address } };
}

static __always_inline enum parsed parse_ipv4(struct __sk_buff *skb, __u32 at,
					      struct packet *packet)
{
	__be32 addresses[2];

	if (bpf_skb_load_bytes(skb, at + IPV4_ADDRESSES_AT, addresses, sizeof(addresses)))
		return PARSED_NOT_IP;
	packet->source = map_ipv4(addresses[0]);
	packet->destination = map_ipv4(addresses[1]);
	packet->ipv4 = true;
	return PARSED_IP;
}

static __always_inline enum parsed parse_ipv6(struct __sk_buff *skb, __u32 at,
					      struct packet *packet)
{
	struct sluice_address addresses[2];

	if (bpf_skb_load_bytes(skb, at + IPV6_ADDRESSES_AT, addresses, sizeof(addresses)))
		return PARSED_NOT_IP;
	packet->source = addresses[0];
	packet->destination = addresses[1];
	packet->ipv4 = false;
	/* Never on a wire (RFC 4291, 2.5.5.2); in our maps it would pass for IPv4. */
	if (is_mapped(&packet->source) || is_mapped(&packet->destination))
		return PARSED_OBSCURE;
	return PARSED_IP;
}

/*
 * The kernel has taken off the outermost VLAN tag. It takes off others too, below this hook, when
 * they only carry a priority (net/core/dev.c), so a packet is classified behind its tags: a pod
 * must not escape by adding some.
 */
static __always_inline enum parsed parse(struct __sk_buff *skb, struct packet *packet)
{
	__be16 protocol = skb->protocol;
	__u32 at = ETH_HLEN;
	struct vlan_tag tag;

	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (bpf_skb_load_bytes(skb, at, &tag, sizeof(tag)))
			return PARSED_NOT_IP;
		protocol = tag.protocol;
		at += sizeof(tag);
	}

	switch (protocol) {
	case bpf_htons(ETH_P_IP):
		return parse_ipv4(skb, at, packet);
	case bpf_htons(ETH_P_IPV6):
		return parse_ipv6(skb, at, packet);
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return PARSED_OBSCURE;
	default:
		return PARSED_NOT_IP;
	}
}

#endif
