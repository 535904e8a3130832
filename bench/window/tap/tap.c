/* What the benchmark's window has besides the released one: it notes when each
 * call of the page passes to the core, and shows in the window's title what the
 * page wants to tell. Linked in by --wrap=link_send, so that no line of the
 * window is another.
 *
 * A message that begins with @ is an order; it goes on to the core too, which
 * answers that it is none.
 *
 *	@reset        forget the calls so far
 *	@dump WORD    title: WORD, the time of the first call, and of each call after
 *	              it since the one before; tenths of microseconds of
 *	              CLOCK_MONOTONIC
 *	@say TEXT     title: TEXT
 *	@drop PATH    as if a person had let fall a folder */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../../cmd/bailey-window/host.h"

enum { MOST = 3000, EACH = 12 };

bool __real_link_send(enum frame_type type, uint64_t id, const void *payload, size_t n);
bool __wrap_link_send(enum frame_type type, uint64_t id, const void *payload, size_t n);

static int64_t calls[MOST];
static int count;

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 10000000LL + t.tv_nsec / 100;
}

static void title(const char *text)
{
	GListModel *all = gtk_window_get_toplevels();
	GtkWindow *w = g_list_model_get_item(all, 0);

	if (w != NULL) {
		gtk_window_set_title(w, text);
		g_object_unref(w);
	}
}

static void dump(const char *word)
{
	GString *s = g_string_new(word);

	for (int i = 0; i < count; i++)
		g_string_append_printf(s, " %lld", (long long)(i == 0 ? calls[0] : calls[i] - calls[i - 1]));
	title(s->str);
	g_string_free(s, TRUE);
}

static void order(const char *o)
{
	if (strcmp(o, "@reset") == 0)
		count = 0;
	else if (g_str_has_prefix(o, "@dump "))
		dump(o + strlen("@dump "));
	else if (g_str_has_prefix(o, "@say "))
		title(o + strlen("@say "));
	else if (g_str_has_prefix(o, "@drop "))
		__real_link_send(FRAME_DROPPED, 0, o + strlen("@drop "), strlen(o + strlen("@drop ")));
}

bool __wrap_link_send(enum frame_type type, uint64_t id, const void *payload, size_t n)
{
	if (type == FRAME_CALL && n > 0 && *(const char *)payload == '@') {
		char *o = g_strndup(payload, n);
		order(o);
		g_free(o);
	} else if (type == FRAME_CALL && count < MOST) {
		calls[count++] = now();
	}
	return __real_link_send(type, id, payload, n);
}
