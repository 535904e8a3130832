#define _GNU_SOURCE

#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long the core may take to say CLOSE after the user closed, in ms. */
#define CLOSE_AFTER 1000

static GMainLoop *loop;
static GtkWindow *window;
static bool german, shown_ready, speaks;
static double text_scale = 1;

/* What the window says itself: only what the page cannot. That the core is gone is
 * said by who opened the window. */
enum text { TEXT_CRASHED, TEXT_CRASHED_MORE, TEXT_CLOSE };
static const char *const texts[][2] = {
	[TEXT_CRASHED] = {"This page ended unexpectedly", "Diese Seite wurde unerwartet beendet"},
	[TEXT_CRASHED_MORE] = {"It was started again several times and ended each time. Your data is not affected.",
		"Sie wurde mehrmals neu gestartet und endete jedes Mal. Ihre Daten sind nicht betroffen."},
	[TEXT_CLOSE] = {"Close", "Schließen"},
};

static void quit(void)
{
	g_main_loop_quit(loop);
}

static gboolean on_time(gpointer data)
{
	(void)data;
	quit();
	return G_SOURCE_REMOVE;
}

static GtkWidget *label(enum text t, const char *class)
{
	GtkWidget *l = gtk_label_new(texts[t][german]);
	gtk_label_set_wrap(GTK_LABEL(l), TRUE);
	gtk_label_set_justify(GTK_LABEL(l), GTK_JUSTIFY_CENTER);
	gtk_label_set_max_width_chars(GTK_LABEL(l), 60);
	if (class != NULL)
		gtk_widget_add_css_class(l, class);
	return l;
}

/* Of our own texts alone: a page is zoomed as a whole. */
static void scale_text(void)
{
	g_object_set(gtk_settings_get_default(), "gtk-xft-dpi", (int)(96 * 1024 * text_scale), NULL);
}

static void say(enum text heading, enum text more)
{
	speaks = true;
	view_end();
	scale_text();
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 18);
	gtk_widget_set_valign(box, GTK_ALIGN_CENTER);
	gtk_widget_set_halign(box, GTK_ALIGN_CENTER);
	gtk_widget_set_margin_start(box, 24);
	gtk_widget_set_margin_end(box, 24);
	gtk_box_append(GTK_BOX(box), label(heading, "title-1"));
	gtk_box_append(GTK_BOX(box), label(more, NULL));
	GtkWidget *close = gtk_button_new_with_label(texts[TEXT_CLOSE][german]);
	gtk_widget_set_halign(close, GTK_ALIGN_CENTER);
	g_signal_connect_swapped(close, "clicked", G_CALLBACK(gtk_window_close), window);
	gtk_box_append(GTK_BOX(box), close);
	gtk_window_set_child(window, box);
	gtk_window_set_focus(window, close);
}

void window_says_crashed(void)
{
	say(TEXT_CRASHED, TEXT_CRASHED_MORE);
}

/* The first frame of the page has gone to the compositor. */
static void on_painted(GdkFrameClock *clock, gpointer data)
{
	(void)data;
	g_signal_handlers_disconnect_by_func(clock, on_painted, NULL);
	link_send(FRAME_READY, 0, NULL, 0);
}

void window_painted(void)
{
	if (shown_ready)
		return;
	shown_ready = true;
	GdkFrameClock *clock = gtk_widget_get_frame_clock(GTK_WIDGET(window));
	g_signal_connect(clock, "after-paint", G_CALLBACK(on_painted), NULL);
	gdk_frame_clock_request_phase(clock, GDK_FRAME_CLOCK_PHASE_PAINT);
	gtk_widget_queue_draw(GTK_WIDGET(window));
}

/* How the person has set up the desktop; the core reads it, since this process
 * has no session bus. */
static void use_desktop(const char *const fields[SETTINGS_FIELDS])
{
	double scale = atoi(fields[1]) / 1000.0;
	bool dark = strcmp(fields[0], "dark") == 0;
	/* GTK knows high contrast by this name; WebKit 2.50 does not know it. */
	const char *theme = strcmp(fields[2], "high") == 0 ? "HighContrast" : "Default";
	g_object_set(gtk_settings_get_default(), "gtk-application-prefer-dark-theme", dark, "gtk-theme-name", theme,
		"gtk-enable-animations", strcmp(fields[3], "reduced") != 0, NULL);
	text_scale = scale >= 0.5 && scale <= 3.0 ? scale : 1.0;
	view_zoom(text_scale, dark);
	if (speaks)
		scale_text();
}

static void on_frame(const struct frame *f, uint8_t *payload, int fd)
{
	const char *fields[SETTINGS_FIELDS];
	if (f->type == FRAME_RESPONSE) {
		view_response(f->id, payload, f->length, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	switch (f->type) {
	case FRAME_REPLY:
		view_reply(f->id, payload, f->length);
		break;
	case FRAME_SETTINGS:
		if (fields_split((const char *)payload, f->length, fields, SETTINGS_FIELDS))
			use_desktop(fields);
		break;
	case FRAME_RAISE:
		gtk_window_present(window);
		break;
	case FRAME_RELOAD:
		view_load();
		break;
	case FRAME_CLOSE:
		quit();
		break;
	}
}

static gboolean on_close(GtkWindow *w, gpointer data)
{
	(void)data;
	gtk_widget_set_visible(GTK_WIDGET(w), FALSE);
	if (!link_send(FRAME_CLOSED, 0, NULL, 0))
		quit();
	else
		g_timeout_add(CLOSE_AFTER, on_time, NULL);
	return TRUE;
}

/* At either end of the page WebKit lets the focus go: to a text view of its own
 * that nobody sees, or to nothing. Nothing but the page may have it: otherwise no
 * key would come there any more. */
static void on_focus(GtkWindow *w, GParamSpec *p, gpointer page)
{
	(void)p;
	GtkWidget *now = gtk_window_get_focus(w);
	if (!speaks && (now == NULL || (GTK_IS_TEXT_VIEW(now) && gtk_widget_get_parent(now) == page)))
		gtk_widget_grab_focus(page);
}

int main(void)
{
	size_t length;
	const char *f[CONFIG_FIELDS];
	char *text = link_configuration(&length);
	if (text == NULL || !fields_split(text, length, f, CONFIG_FIELDS)) {
		fputs("bailey-window is started by bailey-core; run `bailey studio`\n", stderr);
		return 2;
	}
	struct config c = {f[0], f[1], f[4], f[9], atoi(f[2]), atoi(f[3])};
	german = strncmp(c.language, "de", 2) == 0;
	view_prepare(&c);
	char *name = g_strconcat("bailey-", c.app, NULL);
	g_set_prgname(name);
	if (!gtk_init_check()) {
		fputs("bailey-window: no display\n", stderr);
		return 3;
	}

	window = GTK_WINDOW(gtk_window_new());
	gtk_window_set_title(window, c.title);
	gtk_window_set_default_size(window, CLAMP(c.width, 320, 7680), CLAMP(c.height, 240, 4320));
	g_signal_connect(window, "close-request", G_CALLBACK(on_close), NULL);
	GtkWidget *page = view_new(&c);
	person_watch(page);
	gtk_window_set_child(window, page);
	g_signal_connect(window, "notify::focus-widget", G_CALLBACK(on_focus), page);
	use_desktop(f + 5);
	link_open(on_frame, quit);
	view_load();
	/* Shown, not presented: a new window has the keyboard from its window manager.
	 * To ask for it again comes late, after all of the page's view is set up, and
	 * would take it from what the person has turned to since. */
	gtk_widget_set_visible(GTK_WIDGET(window), TRUE);
	loop = g_main_loop_new(NULL, FALSE);
	g_main_loop_run(loop);
	/* Everything of the page dies with this process's namespace: nothing has to
	 * be put away, and nothing may keep it. */
	_exit(0);
}
