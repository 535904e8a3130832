#define _GNU_SOURCE

#include "host.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is kept for a core that does not read, in bytes. Calls are refused from
 * half of it on, so that what the host itself has to say finds room. */
#define QUEUE_MAX ((size_t)8 << 20)
/* Frames taken in one turn of the main loop, so that the window stays alive
 * under a core that writes without end. */
#define FRAMES_A_TURN 64
/* Reports of something refused, a second. */
#define REFUSALS_A_SECOND 20
#define REFUSAL_DETAIL_MAX 256

static link_frame handle_frame;
static link_end handle_end;
static bool ended;

/* The frame that is being read. */
static uint8_t header[FRAME_HEADER];
static struct frame current;
static uint8_t *payload;
static size_t have;
static int rider = -1;

/* What has not been written yet. */
static GByteArray *queue;
static size_t written;
static guint writing;

static int refusals;
static gint64 refusals_since;

/* A core that breaks the form is no core. */
static void broken(const char *why)
{
	g_printerr("bailey-window: the core broke the protocol: %s\n", why);
	_exit(1);
}

static void end(void)
{
	if (ended)
		return;
	ended = true;
	handle_end();
}

/* Reads at most n bytes; a descriptor that comes along is kept in rider when it
 * rides on the first byte of a frame, and is an offence anywhere else. Returns 0
 * at the end, -1 when there is nothing yet. */
static ssize_t take(uint8_t *p, size_t n, bool first)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = {p, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
	ssize_t got;
	do
		got = recvmsg(CORE_FD, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -1 : 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		if (!first || rider >= 0 || c->cmsg_len != CMSG_LEN(sizeof rider))
			broken("a descriptor where none belongs");
		memcpy(&rider, CMSG_DATA(c), sizeof rider);
	}
	if (msg.msg_flags & MSG_CTRUNC)
		broken("more descriptors than one");
	return got;
}

/* Reads on; 1 when a frame is whole, 0 at the end, -1 when there is nothing yet. */
static int step(void)
{
	while (have < FRAME_HEADER) {
		ssize_t n = take(header + have, FRAME_HEADER - have, have == 0);
		if (n <= 0)
			return (int)n;
		have += (size_t)n;
		if (have < FRAME_HEADER)
			continue;
		if (!frame_parse(header, &current))
			broken("a header");
		payload = g_malloc((size_t)current.length + 1);
		payload[current.length] = 0;
	}
	while (have < FRAME_HEADER + (size_t)current.length) {
		size_t at = have - FRAME_HEADER;
		ssize_t n = take(payload + at, current.length - at, false);
		if (n <= 0)
			return (int)n;
		have += (size_t)n;
	}
	return 1;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd, (void)condition, (void)data;
	for (int i = 0; i < FRAMES_A_TURN; i++) {
		int got = step();
		if (got < 0)
			return G_SOURCE_CONTINUE;
		if (got == 0) {
			end();
			return G_SOURCE_REMOVE;
		}
		uint8_t *p = payload;
		int passed = rider;
		payload = NULL;
		rider = -1;
		have = 0;
		handle_frame(&current, p, passed);
		g_free(p);
	}
	return G_SOURCE_CONTINUE;
}

char *link_configuration(size_t *length)
{
	int got;
	while ((got = step()) < 0) {
		GPollFD wait = {.fd = CORE_FD, .events = G_IO_IN};
		g_poll(&wait, 1, -1);
	}
	if (got == 0 || current.type != FRAME_CONFIG || rider >= 0)
		return NULL;
	*length = current.length;
	have = 0;
	return (char *)g_steal_pointer(&payload);
}

void link_open(link_frame on_frame, link_end on_end)
{
	handle_frame = on_frame;
	handle_end = on_end;
	queue = g_byte_array_new();
	g_unix_fd_add(CORE_FD, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, NULL);
}

/* Writes what can be written; true while something is left. */
static bool flush(void)
{
	while (written < queue->len) {
		ssize_t n = send(CORE_FD, queue->data + written, queue->len - written, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n < 0) /* The reading side says that the core is gone. */
			break;
		written += (size_t)n;
	}
	g_byte_array_set_size(queue, 0);
	written = 0;
	return false;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
	(void)fd, (void)condition, (void)data;
	if (flush())
		return G_SOURCE_CONTINUE;
	writing = 0;
	return G_SOURCE_REMOVE;
}

bool link_send(enum frame_type type, uint64_t id, const void *p, size_t n)
{
	size_t limit = type == FRAME_CALL || type == FRAME_REQUEST ? QUEUE_MAX / 2 : QUEUE_MAX;
	if (ended || n > FRAME_PAYLOAD_MAX || queue->len - written + FRAME_HEADER + n > limit)
		return false;
	uint8_t head[FRAME_HEADER];
	struct frame f = {(uint32_t)n, (uint8_t)type, id};
	frame_write(&f, head);
	/* What was written is moved away only when it has become much. */
	if (written > QUEUE_MAX / 2) {
		g_byte_array_remove_range(queue, 0, (guint)written);
		written = 0;
	}
	g_byte_array_append(queue, head, FRAME_HEADER);
	if (n > 0)
		g_byte_array_append(queue, p, (guint)n);
	if (writing == 0 && flush())
		writing = g_unix_fd_add(CORE_FD, G_IO_OUT, on_writable, NULL);
	return true;
}

void link_refused(const char *word, const char *detail)
{
	gint64 now = g_get_monotonic_time();
	if (now - refusals_since > G_USEC_PER_SEC) {
		refusals_since = now;
		refusals = 0;
	}
	if (++refusals > REFUSALS_A_SECOND)
		return;
	size_t n = strlen(word), m = detail == NULL ? 0 : strnlen(detail, REFUSAL_DETAIL_MAX);
	char *p = g_malloc(n + 1 + m);
	memcpy(p, word, n);
	p[n] = 0;
	if (m > 0)
		memcpy(p + n + 1, detail, m);
	link_send(FRAME_REFUSED, 0, p, m > 0 ? n + 1 + m : n);
	g_free(p);
}
