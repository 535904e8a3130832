/* bailey-prompt asks a person one question, or with --pick lets them choose a
 * folder. Descriptor 3 is its connection to the core: a sheet comes in, one line
 * goes out, then the process ends. An end without a line is a no.
 *
 *   yes HASH 0,2     no HASH WORD     picked DEV INO LENGTH, path     none
 *
 * It exits with 0 when it answered, 1 without a display, 2 for a sheet that is
 * none or when run as root, 3 where the kernel does not confine it. */
#include "prompt.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/landlock.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CORE = 3, SHEET_WAIT = 10000, MAP_WAIT = 15000 };

void prompt_send(int fd, const char *b, size_t n, int carry)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)b, n};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

	if (carry >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), &carry, sizeof carry);
	}
	while (part.iov_len > 0) {
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (sent < 0 && errno != EINTR)
			return; /* the core is gone, which is a no */
		if (sent < 0)
			continue;
		part.iov_base = (char *)part.iov_base + sent;
		part.iov_len -= (size_t)sent;
		m.msg_control = NULL;
		m.msg_controllen = 0;
	}
}

static void answer(struct prompt *p, GString *line)
{
	if (!p->answered)
		prompt_send(p->core, line->str, line->len, -1);
	p->answered = true;
	g_string_free(line, TRUE);
	if (p->loop)
		g_main_loop_quit(p->loop);
}

void prompt_no(struct prompt *p, const char *word)
{
	GString *line = g_string_new(NULL);

	g_string_printf(line, "no %s %s\n", p->sheet.one[TAG_HASH], word);
	answer(p, line);
}

void prompt_yes(struct prompt *p)
{
	GString *line = g_string_new(NULL);
	const char *between = " ";

	g_string_printf(line, "yes %s", p->sheet.one[TAG_HASH]);
	for (unsigned i = 0; i < p->sheet.rows; i++) {
		if (!view_row(p, i))
			continue;
		g_string_append_printf(line, "%s%u", between, i);
		between = ",";
	}
	g_string_append_c(line, '\n');
	answer(p, line);
}

/* read_sheet takes one sheet and nothing behind it. */
static ptrdiff_t read_sheet(int fd, unsigned char *b)
{
	size_t n = 0;

	for (;;) {
		ptrdiff_t size = sheet_size(b, n);
		if (size != 0 || n == SHEET_MAX)
			return size == (ptrdiff_t)n ? size : -1;
		if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, SHEET_WAIT) <= 0)
			return -1;
		ssize_t got = read(fd, b + n, SHEET_MAX - n);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return -1;
		n += (size_t)got;
	}
}

/* keep_environment drops everything but what a display needs: GTK and its
 * libraries load code and open inspectors for variables. */
static void keep_environment(void)
{
	static const char *const kept[] = {
		"DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "GDK_BACKEND", "XDG_RUNTIME_DIR", "AT_SPI_BUS_ADDRESS",
		"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "PATH", "XDG_CONFIG_HOME",
	};
	char *value[G_N_ELEMENTS(kept)];

	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
		value[i] = g_strdup(g_getenv(kept[i]));
	clearenv();
	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
		if (value[i])
			g_setenv(kept[i], value[i], TRUE);
	/* No GL for a few labels, no settings of a user on disk, no other
	 * process's modules, no bus but the accessibility bus. */
	g_setenv("GSK_RENDERER", "cairo", TRUE);
	g_setenv("GDK_DEBUG", "gl-disable", TRUE);
	g_setenv("GSETTINGS_BACKEND", "memory", TRUE);
	g_setenv("GIO_USE_VFS", "local", TRUE);
	g_setenv("GIO_USE_VOLUME_MONITOR", "unix", TRUE);
	g_setenv("GTK_USE_PORTAL", "0", TRUE);
	g_setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", TRUE);
	if (!g_getenv("AT_SPI_BUS_ADDRESS"))
		g_setenv("GTK_A11Y", "none", TRUE);
}

/* write_nothing has the kernel refuse every change of a file, besides what the
 * sandbox does: GTK's chooser makes a directory for its own settings. It goes
 * before GTK starts threads. A kernel without Landlock leaves it to the sandbox. */
static void write_nothing(void)
{
	struct landlock_ruleset_attr all = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
			LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (rules >= 0) {
		syscall(SYS_landlock_restrict_self, rules, 0);
		close(rules);
	}
}

static gboolean timed_out(gpointer p)
{
	prompt_no(p, "timeout");
	return G_SOURCE_REMOVE;
}

static gboolean told_to_end(gpointer p)
{
	prompt_no(p, "closed");
	return G_SOURCE_REMOVE;
}

static gboolean never_shown(gpointer data)
{
	struct prompt *p = data;

	if (!p->painted)
		prompt_no(p, "hidden");
	return G_SOURCE_REMOVE;
}

/* Nothing comes after the sheet: what does come, or the end, is the end. */
static gboolean core_spoke(int fd, GIOCondition condition, gpointer p)
{
	(void)fd, (void)condition;
	prompt_no(p, "lost");
	return G_SOURCE_REMOVE;
}

static int ask(struct prompt *p)
{
	p->loop = g_main_loop_new(NULL, FALSE);
	g_timeout_add(p->sheet.timeout, timed_out, p);
	g_timeout_add(MIN(MAP_WAIT, p->sheet.timeout / 4 * 3), never_shown, p);
	g_unix_signal_add(SIGTERM, told_to_end, p);
	g_unix_signal_add(SIGINT, told_to_end, p);
	g_unix_fd_add(p->core, G_IO_IN | G_IO_HUP | G_IO_ERR, core_spoke, p);
	view_build(p);
	guard_attach(p);
	reach_window();
	gtk_window_present(GTK_WINDOW(p->window));
	trace("built");
	g_main_loop_run(p->loop);
	return 0;
}

int main(int argc, char **argv)
{
	static unsigned char bytes[SHEET_MAX];
	static struct prompt prompt = {.core = CORE};
	/* The core's sandbox says by which kind it started this. */
	bool picker = argc == 2 && (!strcmp(argv[1], "--pick") || !strcmp(argv[1], "picker"));
	bool asks = argc == 1 || (argc == 2 && !strcmp(argv[1], "prompt"));
	struct prompt *p = &prompt;

	trace("main");
	if ((!asks && !picker) || geteuid() == 0)
		return EXIT_SHEET;
	keep_environment();
	ptrdiff_t n = read_sheet(CORE, bytes);
	const char *wrong = n < 0 ? "not one whole sheet" : sheet_parse(&p->sheet, bytes, (size_t)n, picker);
	if (wrong) {
		fprintf(stderr, "bailey-prompt: %s\n", wrong);
		return EXIT_SHEET;
	}
	/* The core has looked at this process before it sent the sheet; from here on
	 * nobody does. */
	prctl(PR_SET_DUMPABLE, 0);
#ifndef BAILEY_UNGUARDED /* the control of a test */
	write_nothing();
#endif
	view_environment(&p->sheet, picker);
	g_set_prgname("bailey-prompt");
	g_set_application_name("Bailey");
	if (!gtk_init_check()) {
		if (!picker)
			prompt_no(p, "lost");
		return EXIT_DISPLAY;
	}
	trace("gtk");
	reach_begin();
	view_settings(&p->sheet);
	return picker ? pick_folder(&p->sheet, CORE) : ask(p);
}
