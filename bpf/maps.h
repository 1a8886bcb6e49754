/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs' constants and maps. The agent writes the maps, pins them, and gives those that are
 * pinned to the next version of the programs; what lies in them is in sluice.h.
 */
#ifndef SLUICE_MAPS_H
#define SLUICE_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "sluice.h"

/* Set before the programs are loaded; constants for the verifier. */
const volatile struct sluice_settings settings SEC(".rodata.settings") = {};

/* Room for endpoints is chosen when the map is made; nothing else grows with the pods. */
#define ENDPOINTS_MAX 262144
#define PREFIXES_MAX 65536
#define NODES_MAX 65536
#define POLICY_ROWS_MAX 262144

/* Written by the agent alone; a reader sees an old or a new entry, never half of one. */
#define READ_ONLY (BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct sluice_address);
	__type(value, struct sluice_endpoint);
	__uint(max_entries, ENDPOINTS_MAX);
	__uint(map_flags, READ_ONLY);
} sluice_endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct sluice_cluster_key);
	__type(value, __u32);
	__uint(max_entries, PREFIXES_MAX);
	__uint(map_flags, READ_ONLY);
} sluice_cluster SEC(".maps");

/* Whose packets the tunnel takes: the addresses of all nodes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __be32);
	__type(value, __u32);
	__uint(max_entries, NODES_MAX);
	__uint(map_flags, READ_ONLY);
} sluice_nodes SEC(".maps");

/* A gateway's address -> its index in marks, and back. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __be32);
	__type(value, __u32);
	__uint(max_entries, SLUICE_INDEX_MAX);
	__uint(map_flags, READ_ONLY);
} sluice_gateways SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __be32);
	__uint(max_entries, SLUICE_INDEX_MAX);
	__uint(map_flags, READ_ONLY);
} sluice_gateway_by_index SEC(".maps");

/* An egress IP of this node -> its index in marks. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct sluice_address);
	__type(value, __u32);
	__uint(max_entries, SLUICE_INDEX_MAX);
	__uint(map_flags, READ_ONLY);
} sluice_egress SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, REASONS);
} sluice_counters SEC(".maps");

/* Made by the agent, or by Cilium; found by name, so names and flags are theirs. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct sluice_policy_key4);
	__type(value, struct sluice_policy_value4);
	__uint(max_entries, POLICY_ROWS_MAX);
	__uint(map_flags, READ_ONLY);
} cilium_egress_gw_policy_v4_v2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct sluice_policy_key6);
	__type(value, struct sluice_policy_value6);
	__uint(max_entries, POLICY_ROWS_MAX);
	__uint(map_flags, READ_ONLY);
} cilium_egress_gw_policy_v6 SEC(".maps");

#endif
