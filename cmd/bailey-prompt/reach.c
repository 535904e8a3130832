#define _GNU_SOURCE
/* What this program gives up by itself once it has its display and the
 * accessibility bus: to reach anybody else. Its sandbox has no network, but the
 * picker sees sockets of the person's other programs among their files, and no mount
 * keeps anyone from connecting to one. */
#include "prompt.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* Above all descriptors of its own. */
enum { DESCRIPTORS = 64 };

/* named counts connections to what has a name: the display, a bus. */
static unsigned named(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		struct sockaddr_un peer = {0};
		socklen_t size = sizeof peer;
		if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sun_family == AF_UNIX && size > offsetof(struct sockaddr_un, sun_path))
			n++;
	}
	return n;
}

/* What there was before there was a window. */
static unsigned displays;

static void reach_nobody(void)
{
	/* No socket is made and none gets another end: a datagram's address lies in
	 * memory, where no filter sees it. No program is executed, and no more filters
	 * are put on. */
	static const unsigned refused[] = {SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_execve, SYS_execveat, SYS_seccomp};
	struct sock_filter f[4 + 2 * G_N_ELEMENTS(refused) + 1], *next = f;
	struct sock_fprog all = {.filter = f};
	static bool done;

	if (done)
		return;
	*next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	*next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	*next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	*next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
		*next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
		*next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	*next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	all.len = (unsigned short)(next - f);
	/* For all threads, of which GTK has some by now. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &all) != 0) {
		g_printerr("bailey-prompt: no filter\n");
		_exit(EXIT_CONFINED);
	}
	done = true;
	trace("alone");
}

void reach_begin(void)
{
	displays = named();
}

void reach_window(void)
{
#ifndef BAILEY_UNGUARDED
	if (!g_getenv("AT_SPI_BUS_ADDRESS") || named() > displays)
		reach_nobody();
#endif
}

void reach_shown(void)
{
#ifndef BAILEY_UNGUARDED
	reach_nobody();
#endif
}
