// Loads for the packet bench, all UDP over IPv4: as many packets as one core sends, and round trips.
//
//   packets sink PORT                          takes nothing out of its socket, until it is ended
//   packets flood ADDRESS PORT BYTES SECONDS   prints the seconds of a core that it took
//   packets echo PORT                          answers, until it is ended
//   packets ping ADDRESS PORT SECONDS          prints median and 99th percentile, nanoseconds

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ROUND_TRIPS_MAX 2000000
#define BYTES_MAX 1400
#define BATCH 64

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned long read_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ul + time.tv_nsec;
}

static int open_socket(const char *address, const char *port, int server)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		fail("socket");
	if ((server ? bind : connect)(fd, (struct sockaddr *)&to, sizeof(to)))
		fail(server ? "bind" : "connect");
	return fd;
}

static int flood(const char *address, const char *port, size_t bytes, double seconds)
{
	int fd = open_socket(address, port, 0);
	unsigned long until = read_ns(CLOCK_MONOTONIC) + (unsigned long)(seconds * 1e9);
	static char payload[BYTES_MAX];

	if (bytes > sizeof(payload))
		bytes = sizeof(payload);
	while (read_ns(CLOCK_MONOTONIC) < until)
		for (int i = 0; i < BATCH; i++)
			send(fd, payload, bytes, 0);
	/* Where nothing else takes the core, that is the time that went by. */
	printf("{\"seconds\":%.6f}\n", read_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
	return 0;
}

static void echo(const char *port)
{
	int fd = open_socket("0.0.0.0", port, 1);
	struct sockaddr_in from;
	char payload[BYTES_MAX];

	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t bytes = recvfrom(fd, payload, sizeof(payload), 0, (struct sockaddr *)&from, &size);

		if (bytes >= 0)
			sendto(fd, payload, bytes, 0, (struct sockaddr *)&from, size);
	}
}

static int ascending(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

static int ping(const char *address, const char *port, double seconds)
{
	int fd = open_socket(address, port, 0);
	struct timeval patience = { .tv_usec = 200000 };
	unsigned *took = calloc(ROUND_TRIPS_MAX, sizeof(*took));
	unsigned long until = read_ns(CLOCK_MONOTONIC) + (unsigned long)(seconds * 1e9);
	size_t count = 0;
	char payload[64] = { 0 };

	if (!took || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		fail("ping");
	while (read_ns(CLOCK_MONOTONIC) < until && count < ROUND_TRIPS_MAX) {
		unsigned long begun = read_ns(CLOCK_MONOTONIC);

		if (send(fd, payload, sizeof(payload), 0) < 0)
			fail("send");
		if (recv(fd, payload, sizeof(payload), 0) > 0)
			took[count++] = read_ns(CLOCK_MONOTONIC) - begun;
	}
	if (!count)
		return 1;
	qsort(took, count, sizeof(*took), ascending);
	printf("{\"median\":%u,\"p99\":%u}\n", took[count / 2], took[count * 99 / 100]);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (!strcmp(mode, "sink") && argc == 3) {
		open_socket("0.0.0.0", argv[2], 1);
		for (;;)
			pause();
	}
	if (!strcmp(mode, "flood") && argc == 6)
		return flood(argv[2], argv[3], atoi(argv[4]), atof(argv[5]));
	if (!strcmp(mode, "echo") && argc == 3)
		echo(argv[2]);
	if (!strcmp(mode, "ping") && argc == 5)
		return ping(argv[2], argv[3], atof(argv[4]));
	fprintf(stderr, "packets: see the head of packets.c\n");
	return 2;
}
