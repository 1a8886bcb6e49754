/*
 * What bench/maps.ts measures, in C with libbpf: writes the same rows into a new v4_v2 policy map
 * in the same batches, reads them back, deletes them, and prints how many milliseconds each took.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <bpf/bpf.h>

struct key {
	uint32_t prefixlen;
	uint32_t source;
	uint32_t destination;
};

struct value {
	uint32_t egress_ip;
	uint32_t gateway_ip;
	uint32_t reserved[3];
	uint32_t egress_ifindex;
	uint32_t reserved2;
};

_Static_assert(sizeof(struct key) == 12, "the layout of the policy map");
_Static_assert(sizeof(struct value) == 28, "the layout of the policy map");

enum { CHUNK = 1024, ROOM = 262144, PREFIXES = 2 };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void fill(struct key *keys, struct value *values, uint32_t rows)
{
	for (uint32_t i = 0; i < rows; i++) {
		keys[i].prefixlen = 32 + 24;
		keys[i].source = htonl(0x0a000000u + i / PREFIXES);
		keys[i].destination = htonl(0xcb007100u + (i % PREFIXES) * 256);
		values[i].egress_ip = htonl(0xc0000200u + i % 7);
		values[i].gateway_ip = htonl(0xc0a80100u + i % 7);
		values[i].egress_ifindex = 3;
	}
}

static int write_rows(int fd, const struct key *keys, const struct value *values, uint32_t rows)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	for (uint32_t done = 0; done < rows;) {
		uint32_t count = smaller(CHUNK, rows - done);

		if (bpf_map_update_batch(fd, keys + done, values + done, &count, &opts))
			return -1;
		done += count;
	}
	return 0;
}

static uint32_t read_rows(int fd, struct key *keys, struct value *values)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	struct key cursor;
	uint32_t found = 0;
	int failed = 0;

	while (!failed) {
		uint32_t count = CHUNK;

		/* It fails with ENOENT at the end, with a valid count. */
		failed = bpf_map_lookup_batch(fd, found ? &cursor : NULL, &cursor, keys + found,
					      values + found, &count, &opts);
		found += count;
	}
	return found;
}

static int delete_rows(int fd, const struct key *keys, uint32_t rows)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	for (uint32_t done = 0; done < rows;) {
		uint32_t count = smaller(CHUNK, rows - done);

		if (bpf_map_delete_batch(fd, keys + done, &count, &opts))
			return -1;
		done += count;
	}
	return 0;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .map_flags = BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	uint32_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	/* The kernel fills whole chunks: room for one more. */
	struct key *keys = calloc(rows + CHUNK, sizeof(*keys));
	struct value *values = calloc(rows + CHUNK, sizeof(*values));
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "bench", sizeof(*keys), sizeof(*values),
				ROOM, &opts);
	double begin, wrote, read;

	if (rows == 0 || rows > ROOM || !keys || !values || fd < 0)
		return 1;
	fill(keys, values, rows);
	begin = now_ms();
	if (write_rows(fd, keys, values, rows))
		return 1;
	wrote = now_ms();
	if (read_rows(fd, keys, values) != rows)
		return 1;
	read = now_ms();
	if (delete_rows(fd, keys, rows))
		return 1;
	printf("{\"write\": %.3f, \"read\": %.3f, \"delete\": %.3f}\n", wrote - begin, read - wrote,
	       now_ms() - read);
	return 0;
}
