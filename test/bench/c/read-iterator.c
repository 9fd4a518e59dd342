// The yardstick of the BPF source: read-iterator FD...  reads one descriptor of an opened iterator to its end for each byte
// that it is given, and prints the CPU time in microseconds. The agent's own program runs in the kernel; nothing is made of what
// it gives.
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static char bytes[65536];

static long used(void) {
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int main(int argc, char **argv) {
	for (int index = 1; index < argc && getchar() != EOF; index++) {
		long from = used(), total = 0;
		ssize_t length;
		while ((length = read(atoi(argv[index]), bytes, sizeof bytes)) > 0) total += length;
		printf("%ld %ld\n", used() - from, total);
		fflush(stdout);
	}
	return 0;
}
