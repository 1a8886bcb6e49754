/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program says of a packet: go on or drop, a reason that is counted, and a mark.
 */
#ifndef SLUICE_VERDICT_H
#define SLUICE_VERDICT_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "sluice.h"

/* A function of its own, so that the object's BTF has the enum. */
static __noinline void count(enum sluice_reason reason)
{
	__u32 slot = reason;
	__u64 *packets = bpf_map_lookup_elem(&sluice_counters, &slot);

	if (packets)
		*packets += 1;
}

static __always_inline int go_on(enum sluice_reason reason)
{
	count(reason);
	return TC_ACT_UNSPEC;
}

static __always_inline int drop(enum sluice_reason reason)
{
	count(reason);
	return TC_ACT_SHOT;
}

/* Marks: bits of others stay. */

static __always_inline __u32 mark_mask(void)
{
	return SLUICE_MARK_MASK << settings.mark_shift;
}

static __always_inline void set_mark(struct __sk_buff *skb, enum sluice_class class, __u32 index)
{
	__u32 bits = class << SLUICE_INDEX_BITS | index;

	skb->mark = (skb->mark & ~mark_mask()) | bits << settings.mark_shift;
}

static __always_inline void clear_mark(struct __sk_buff *skb)
{
	skb->mark &= ~mark_mask();
}

#endif
