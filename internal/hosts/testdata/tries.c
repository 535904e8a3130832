/* Code in a prompt or a picker that was taken over: on SIGUSR1 it tries to reach a
 * socket in the home and to execute a program, and says on standard error what
 * became of it; on SIGUSR2 it gives its standard error away. It is linked to the program by a test alone. */
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

/* gives hands whoever reads its connection its standard error. */
static void gives(int signal)
{
	union {
		struct cmsghdr head;
		char all[CMSG_SPACE(sizeof(int))];
	} rights = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec byte = {.iov_base = (char[]){0}, .iov_len = 1};
	struct msghdr m = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};
	int fd = 2;

	(void)signal;
	memcpy(CMSG_DATA(&rights.head), &fd, sizeof fd);
	if (sendmsg(3, &m, 0) != 1)
		_exit(1);
}

__attribute__((constructor)) static void begin(void)
{
	const char *home = getenv("HOME");

	snprintf(at.sun_path, sizeof at.sun_path, "%s/agent", home ? home : "");
	signal(SIGUSR1, tries);
	signal(SIGUSR2, gives);
}
