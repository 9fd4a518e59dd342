// The load: load COUNT  reads the paths of cgroup.procs files from its input, a line each up to an empty one, forks COUNT
// sleeping processes, divided among those cgroups, says "ready", and ends with its input. Each has 13 open files; 3 of 100
// are busy in short bursts. (The paths are no arguments: every process would have them all in its command line.)
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void enter(const char *procs) {
	int fd = open(procs, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1) {
		perror(procs);
		exit(1);
	}
	close(fd);
}

static void member(int index, pid_t parent) {
	char name[16];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) _exit(0);
	snprintf(name, sizeof name, "worker-%d", index % 4);
	prctl(PR_SET_NAME, name);
	for (int count = 0; count < 10; count++)
		if (open("/dev/null", O_RDONLY) < 0) _exit(1);
	if (index % 33 != 0)
		for (;;) pause();
	for (;;) {
		volatile unsigned work = 0;
		for (int step = 0; step < 200000; step++) work += step;
		struct timespec rest = {0, 200000000};
		nanosleep(&rest, NULL);
	}
}

int main(int argc, char **argv) {
	int count = argc == 2 ? atoi(argv[1]) : 0, groups = 0;
	static char paths[1024][256];
	pid_t *children = calloc(count > 0 ? count : 1, sizeof(pid_t)), self = getpid();
	if (count <= 0) return fprintf(stderr, "load COUNT\n"), 2;
	while (groups < 1024 && fgets(paths[groups], sizeof paths[0], stdin) && paths[groups][0] != '\n') {
		paths[groups][strcspn(paths[groups], "\n")] = 0;
		groups++;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int group = 0, made = 0; group < groups; group++) {
		enter(paths[group]);
		for (; made < (long)count * (group + 1) / groups; made++) {
			children[made] = fork();
			if (children[made] == 0) member(made, self);
			if (children[made] < 0) {
				perror("fork");
				return 1;
			}
		}
	}
	puts("ready");
	fflush(stdout);
	char byte;
	while (fread(&byte, 1, 1, stdin) > 0) {}
	for (int index = 0; index < count; index++) kill(children[index], SIGKILL);
	while (wait(NULL) > 0) {}
	return 0;
}
