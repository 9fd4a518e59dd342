// The yardstick of the BPF source: run-walk PROGRAM MAP BYTES OUTPUT STRIDE PID  runs the program behind the first descriptor once
// for each byte that it is given, and prints the CPU time in microseconds. The agent's own program runs in the kernel; nothing is
// made of what it writes to the map behind the second descriptor: so many bytes, the records from OUTPUT on, each STRIDE bytes
// long with the PID at PID.
#define _DEFAULT_SOURCE
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// As walkLayout has them, in words of eight bytes.
enum { SCAN, PASS, CURSOR, AFTER, WRITTEN, IS_FULL };

static long used(void) {
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int main(int argc, char **argv) {
	if (argc < 7) return 2;
	long output = atol(argv[4]), stride = atol(argv[5]), pid = atol(argv[6]);
	char *bytes = mmap(NULL, atol(argv[3]), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
	if (bytes == MAP_FAILED) return 1;
	volatile uint64_t *head = (volatile uint64_t *)bytes;
	union bpf_attr attributes;
	memset(&attributes, 0, sizeof attributes);
	attributes.test.prog_fd = atoi(argv[1]);
	uint32_t pass = 0;
	while (getchar() != EOF) {
		long from = used(), total = 0;
		head[SCAN]++;
		// A number that no pass of the agent's has.
		head[PASS] = 0x80000000u + ++pass;
		head[CURSOR] = head[AFTER] = 0;
		for (;;) {
			head[WRITTEN] = head[IS_FULL] = 0;
			if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes) != 0) return 1;
			total += head[WRITTEN];
			if (!head[IS_FULL]) break;
			char *last = bytes + output + head[WRITTEN] - stride;
			head[CURSOR] = *(uint32_t *)last;
			head[AFTER] = *(uint32_t *)(last + pid);
		}
		printf("%ld %ld\n", used() - from, total);
		fflush(stdout);
	}
	return 0;
}
