/* What a proxy that was taken over tries. It stands in the program's place and says
 * on descriptor 3 what became of each attempt, a line each: its name and 0 or an
 * errno. The paths are a test's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name, int result)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s %d\n", name, result < 0 ? errno : 0);

	if (write(3, line, (size_t)n) != n)
		_exit(1);
}

static int reach(const char *path, int family, int (*how)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !path)
		return fd;
	strncpy(at.sun_path, path, sizeof at.sun_path - 1);
	return how(fd, (struct sockaddr *)&at, sizeof at);
}

int main(void)
{
	char rest[4096], path[4096];
	const char *own = access(GIVEN, F_OK) == 0 ? GIVEN : OWN;
	struct timespec now[2] = {{1, 0}, {1, 0}};
	pid_t child;

	signal(SIGPIPE, SIG_IGN);
	while (read(3, rest, sizeof rest) > 0)
		;
	if (write(3, "x", 1) != 1)
		return 1;
	tell("other-socket", reach(OTHER "/s", AF_UNIX, connect));
	tell("core-socket", reach(RUNTIME "/core.sock", AF_UNIX, connect));
	tell("listen-beside", reach(RUNTIME "/planted.sock", AF_UNIX, bind));
	tell("remove-core-socket", unlink(RUNTIME "/core.sock"));
	tell("listen-as-core", reach(RUNTIME "/core.sock", AF_UNIX, bind));
	tell("read-file", open(OTHER "/file", O_RDONLY));
	tell("chmod", chmod(OTHER "/file", 0777));
	tell("chown", chown(OTHER "/file", getuid(), getgid()));
	tell("times", utimensat(AT_FDCWD, OTHER "/file", now, 0));
	tell("hard-link", link(OTHER "/file", OTHER "/link"));
	snprintf(path, sizeof path, "/proc/%d/cmdline", PARENT);
	tell("processes", open(path, O_RDONLY));
	tell("network", reach(NULL, AF_INET, connect));
	child = fork();
	if (child == 0)
		_exit(0);
	tell("process", child);
	if (child > 0)
		waitpid(child, NULL, 0);
	snprintf(path, sizeof path, "%s/file", own);
	tell("file-in-own", open(path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof path, "%s/link", own);
	tell("link-in-own", symlink(OTHER "/s", path));
	snprintf(path, sizeof path, "%s/dir", own);
	tell("dir-in-own", mkdir(path, 0700));
	/* What it is there for. */
	snprintf(path, sizeof path, "%s/second", own);
	tell("listen", reach(path, AF_UNIX, bind));
	tell("bus", reach(access(BUS, F_OK) == 0 ? BUS : BARE_BUS, AF_UNIX, connect));
	tell("end", 0);
	return 0;
}
