// enter PID PROGRAM ARGS...: joins the user and network namespaces of PID,
// brings the loopback up, runs PROGRAM there, and for each byte that comes on
// descriptor 3 (whose value is ignored) answers with a descriptor of a TCP socket
// made there. Ends, and PROGRAM with it, when descriptor 3 is closed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) { fprintf(stderr, "enter: %s: %s\n", what, strerror(errno)); exit(1); }

int main(int argc, char **argv) {
	char path[64];
	if (argc < 3) return 2;
	snprintf(path, sizeof path, "/proc/%s/ns/net", argv[1]);
	int net = open(path, O_RDONLY | O_CLOEXEC);
	if (net < 0) die(path);
	int user = ioctl(net, NS_GET_USERNS);
	if (user < 0) die("NS_GET_USERNS");
	if (setns(user, CLONE_NEWUSER) < 0) die("setns user");
	if (setns(net, CLONE_NEWNET) < 0) die("setns net");
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r) < 0) die("lo up");
	close(s);
	pid_t me = getpid(), kid = fork();
	if (kid < 0) die("fork");
	if (kid == 0) {
		close(3);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != me) die("prctl");
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	char b;
	while (read(3, &b, 1) == 1) {
		int t = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (t < 0) die("socket");
		union { char b[CMSG_SPACE(sizeof t)]; struct cmsghdr h; } u = {0};
		struct iovec v = {&b, 1};
		struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
		u.h.cmsg_level = SOL_SOCKET, u.h.cmsg_type = SCM_RIGHTS, u.h.cmsg_len = CMSG_LEN(sizeof t);
		memcpy(CMSG_DATA(&u.h), &t, sizeof t);
		if (sendmsg(3, &m, 0) < 0) die("sendmsg");
		close(t);
	}
	kill(kid, SIGKILL);
	waitpid(kid, NULL, 0);
	return 0;
}
