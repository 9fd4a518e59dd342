// storm RATE SECONDS CGROUP_PROCS: waits for a line of input, then starts RATE processes a second that end at once with
// code 3, in the cgroup whose cgroup.procs file is named, and prints how many there were.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv) {
	long rate = argc == 4 ? atol(argv[1]) : 0, seconds = argc == 4 ? atol(argv[2]) : 0, made = 0;
	if (rate <= 0 || seconds <= 0) return fprintf(stderr, "storm RATE SECONDS CGROUP_PROCS\n"), 2;
	int fd = open(argv[3], O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1) return perror(argv[3]), 1;
	close(fd);
	if (getchar() == EOF) return 1;
	for (long long from = now(); made < rate * seconds; made++) {
		long long due = from + made * 1000000000LL / rate, rest = due - now();
		struct timespec pause = {rest / 1000000000LL, rest % 1000000000LL};
		if (rest > 0) nanosleep(&pause, NULL);
		// As posix_spawn() does: fork() copies the page tables, which on a virtual machine allows some 1,000 a second.
		pid_t child = vfork();
		if (child == 0) _exit(3);
		if (child < 0) return perror("vfork"), 1;
		waitpid(child, NULL, 0);
	}
	printf("%ld\n", made);
	fflush(stdout);
	while (getchar() != EOF) {}
	return 0;
}
