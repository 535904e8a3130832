/* Code in a prompt or a picker that was taken over: on SIGUSR1 it tries to reach a
 * socket in the home and to execute a program, and says on standard error what
 * became of it. It is linked to the program by a test alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un at = {.sun_family = AF_UNIX};

static void tell(const char *name, int result)
{
	char line[64];
	int n = snprintf(line, sizeof line, "tried %s %d\n", name, result < 0 ? errno : 0);

	if (write(2, line, (size_t)n) != n)
		_exit(1);
}

static void tries(int signal)
{
	static char loader[] = LOADER, missing[] = "/usr/bin/none";
	char *argv[] = {loader, missing, NULL};
	int pair[2], fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)signal;
	tell("socket", fd);
	tell("connect", connect(fd, (struct sockaddr *)&at, sizeof at));
	tell("pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	/* An absolute path says nothing of the descriptor, which the first filter sees. */
	tell("execute", (int)syscall(SYS_execveat, 6, loader, argv, NULL, AT_EMPTY_PATH));
	tell("end", 0);
}

__attribute__((constructor)) static void begin(void)
{
	const char *home = getenv("HOME");

	snprintf(at.sun_path, sizeof at.sun_path, "%s/agent", home ? home : "");
	signal(SIGUSR1, tries);
}
