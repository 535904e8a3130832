/* The floor that a window of Bailey is measured against: the least of a host on
 * WebKitGTK 6.0 in C, at its best setting without a graphics card (no hardware
 * acceleration, GTK's cairo renderer). It has no sandbox but WebKit's own, no
 * core, and checks nothing.
 *
 * It prints one JSON object, then ends:
 *
 *	first_paint_ms   from the start of the process (or from the time of
 *	                 CLOCK_MONOTONIC in ns that is its first argument) until
 *	                 the first frame of the page is on the screen
 *	pss_bytes        of it and its children, half a second later
 *	call_us          p50 and p99 of a message of 200 bytes there and back
 *	evaluate_per_s   tokens brought to the page by one evaluate_javascript each
 *	stream_per_s     tokens brought to the page in the body of a response
 *	pss_after_bytes  the same as above after all that
 *
 * With "hello" as its second argument it ends after pss_bytes; with "stay" it
 * prints first_paint_ms alone and stays, for who measures from outside. */
#define _GNU_SOURCE

#include <dirent.h>
#include <gio/gunixinputstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <webkit/webkit.h>

#define CALLS 3000
#define WARM 500
#define TOKENS 100000
#define TOKEN "token "

static const char page[] =
	"<!doctype html><meta charset=utf-8><title>hello</title><body><h1>Hello</h1><script>"
	"const post = s => webkit.messageHandlers.host.postMessage(s);"
	"let n = 0; function token(s) { n++ }"
	"requestAnimationFrame(() => requestAnimationFrame(() => post('painted')));"
	"async function calls(count) { const m = 'x'.repeat(200); for (let i = 0; i < count; i++) await post(m); post('calls') }"
	"function evaluated() { post('evaluated ' + n) }"
	"async function stream(length) { const r = (await fetch('/stream')).body.getReader(); let c = 0;"
	" for (;;) { const {done, value} = await r.read(); if (done) break; for (const b of value) if (b === 32) c++ } post('streamed ' + c) }"
	"</script>";

static WebKitWebView *view;
static GtkWidget *window;
static gint64 started, arrivals[CALLS + 1], begun;
static int arrived;
static bool hello, stay;
static double paint_ms, evaluate, stream_rate;
static long pss;

static gint64 now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Sums what /proc/PID/smaps_rollup says of a process and everything below it. */
static long pss_of(pid_t pid)
{
	char name[64], line[256];
	long sum = 0;
	snprintf(name, sizeof name, "/proc/%d/smaps_rollup", pid);
	FILE *f = fopen(name, "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "Pss:", 4) == 0)
			sum = atol(line + 4) * 1024;
	if (f != NULL)
		fclose(f);
	DIR *d = opendir("/proc");
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		pid_t child = atoi(e->d_name);
		if (child <= 0)
			continue;
		snprintf(name, sizeof name, "/proc/%d/stat", child);
		f = fopen(name, "r");
		if (f == NULL)
			continue;
		int parent = 0;
		if (fgets(line, sizeof line, f) != NULL && strrchr(line, ')') != NULL)
			sscanf(strrchr(line, ')') + 1, " %*c %d", &parent);
		fclose(f);
		if (parent == pid)
			sum += pss_of(child);
	}
	if (d != NULL)
		closedir(d);
	return sum;
}

static int by_size(const void *a, const void *b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
	return (x > y) - (x < y);
}

static void run(const char *js)
{
	webkit_web_view_evaluate_javascript(view, js, -1, NULL, NULL, NULL, NULL, NULL);
}

static void finish(void)
{
	static gint64 took[CALLS];
	int n = 0;
	for (int i = WARM; i + 1 < arrived && i + 1 < CALLS; i++)
		took[n++] = arrivals[i + 1] - arrivals[i];
	printf("{\"first_paint_ms\":%.1f,\"pss_bytes\":%ld", paint_ms, pss);
	if (n > 0) {
		qsort(took, (size_t)n, sizeof took[0], by_size);
		printf(",\"call_us\":{\"p50\":%.1f,\"p99\":%.1f,\"n\":%d}", took[n / 2] / 1e3, took[n * 99 / 100] / 1e3, n);
		printf(",\"evaluate_per_s\":%.0f,\"stream_per_s\":%.0f,\"pss_after_bytes\":%ld", evaluate, stream_rate, pss_of(getpid()));
	}
	printf(",\"webkit\":\"%u.%u.%u\"}\n", webkit_get_major_version(), webkit_get_minor_version(), webkit_get_micro_version());
	fflush(stdout);
	_exit(0);
}

static gboolean settled(gpointer data)
{
	(void)data;
	pss = pss_of(getpid());
	if (hello)
		finish();
	char js[64];
	snprintf(js, sizeof js, "calls(%d)", CALLS);
	run(js);
	return G_SOURCE_REMOVE;
}

static void on_paint(GdkFrameClock *clock, gpointer data)
{
	(void)data;
	g_signal_handlers_disconnect_by_func(clock, on_paint, NULL);
	paint_ms = (double)(now_ns() - started) / 1e6;
	if (stay) {
		printf("{\"first_paint_ms\":%.1f}\n", paint_ms);
		fflush(stdout);
		return;
	}
	g_timeout_add(500, settled, NULL);
}

static gboolean on_message(WebKitUserContentManager *m, JSCValue *value, WebKitScriptMessageReply *reply, gpointer data)
{
	(void)m, (void)data;
	char *s = jsc_value_to_string(value);
	if (s[0] == 'x') {
		if (arrived < CALLS)
			arrivals[arrived++] = now_ns();
	} else if (strcmp(s, "painted") == 0) {
		GdkFrameClock *clock = gtk_widget_get_frame_clock(window);
		g_signal_connect(clock, "after-paint", G_CALLBACK(on_paint), NULL);
		gtk_widget_queue_draw(window);
	} else if (strcmp(s, "calls") == 0) {
		begun = now_ns();
		for (int i = 0; i < TOKENS; i++)
			run("token('" TOKEN "')");
		run("evaluated()");
	} else if (g_str_has_prefix(s, "evaluated ")) {
		evaluate = atoi(s + 10) / ((double)(now_ns() - begun) / 1e9);
		begun = now_ns();
		run("stream()");
	} else if (g_str_has_prefix(s, "streamed ")) {
		stream_rate = atoi(s + 9) / ((double)(now_ns() - begun) / 1e9);
		finish();
	}
	JSCValue *answer = jsc_value_new_string(jsc_value_get_context(value), s[0] == 'x' ? s : "");
	webkit_script_message_reply_return_value(reply, answer);
	g_object_unref(answer);
	g_free(s);
	return TRUE;
}

static gpointer writer(gpointer fd)
{
	/* As a model's words come: a token a write. */
	for (int i = 0; i < TOKENS; i++)
		if (write(GPOINTER_TO_INT(fd), TOKEN, sizeof TOKEN - 1) < 0)
			break;
	close(GPOINTER_TO_INT(fd));
	return NULL;
}

static void on_request(WebKitURISchemeRequest *r, gpointer data)
{
	(void)data;
	GInputStream *body;
	int p[2];
	if (strcmp(webkit_uri_scheme_request_get_path(r), "/stream") == 0 && pipe(p) == 0) {
		body = g_unix_input_stream_new(p[0], TRUE);
		g_thread_unref(g_thread_new("writer", writer, GINT_TO_POINTER(p[1])));
	} else {
		body = g_memory_input_stream_new_from_data(page, sizeof page - 1, NULL);
	}
	webkit_uri_scheme_request_finish(r, body, -1, "text/html");
	g_object_unref(body);
}

int main(int argc, char **argv)
{
	started = now_ns();
	if (argc > 1 && atoll(argv[1]) > 0)
		started = atoll(argv[1]);
	hello = argc > 2 && strcmp(argv[2], "hello") == 0;
	stay = argc > 2 && strcmp(argv[2], "stay") == 0;
	setenv("GSK_RENDERER", "cairo", 1);
	if (!gtk_init_check()) {
		fputs("webview-floor: no display\n", stderr);
		return 1;
	}
	WebKitWebContext *context = webkit_web_context_new();
	webkit_web_context_register_uri_scheme(context, "floor", on_request, NULL, NULL);
	webkit_security_manager_register_uri_scheme_as_secure(webkit_web_context_get_security_manager(context), "floor");
	WebKitUserContentManager *content = webkit_user_content_manager_new();
	g_signal_connect(content, "script-message-with-reply-received::host", G_CALLBACK(on_message), NULL);
	webkit_user_content_manager_register_script_message_handler_with_reply(content, "host", NULL);
	WebKitSettings *settings = webkit_settings_new_with_settings("hardware-acceleration-policy", WEBKIT_HARDWARE_ACCELERATION_POLICY_NEVER, NULL);
	view = g_object_new(WEBKIT_TYPE_WEB_VIEW, "web-context", context, "network-session", webkit_network_session_new_ephemeral(),
		"user-content-manager", content, "settings", settings, NULL);
	window = gtk_window_new();
	gtk_window_set_default_size(GTK_WINDOW(window), 1000, 700);
	gtk_window_set_child(GTK_WINDOW(window), GTK_WIDGET(view));
	webkit_web_view_load_uri(view, "floor://app/index.html");
	gtk_window_present(GTK_WINDOW(window));
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
