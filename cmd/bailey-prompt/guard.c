/* When an answer counts. A yes has to be a press and a release that both happened
 * after the window had been on screen, in front, unmoved and read to its end for
 * the whole wait; see C7 to C10 in the threat list (Chromium's
 * InputEventActivationProtector does the same for its prompts). A no always
 * counts, but for a key that was already down, so that what was typed for another
 * window answers nothing. */
#include "prompt.h"

#include <string.h>

/* quiet says that the wait is over. */
static bool quiet(const struct prompt *p)
{
	return p->painted && g_get_monotonic_time() >= p->quiet_until;
}

/* in_front: a display without a seat has no focus to give. */
static bool in_front(const struct prompt *p)
{
	return gtk_window_is_active(GTK_WINDOW(p->window)) || !gdk_display_get_default_seat(gdk_display_get_default());
}

static bool any_row(const struct prompt *p)
{
	for (unsigned i = 0; i < p->sheet.rows; i++)
		if (view_row(p, i))
			return true;
	return false;
}

static bool counts(const struct prompt *p)
{
	return !p->answered && quiet(p) && in_front(p) && p->all_read && any_row(p);
}

void guard_update(struct prompt *p)
{
	if (!p->yes || p->answered)
		return;
	if (p->painted && !p->all_read)
		view_status(p, p->sheet.one[TAG_UNREAD]);
	else
		view_status(p, quiet(p) && in_front(p) ? "" : p->sheet.one[TAG_WAIT]);
	if (gtk_widget_get_sensitive(p->yes) == counts(p))
		return;
	/* Who had come to "yes" is back at "no". */
	if (gtk_widget_has_focus(p->yes))
		gtk_window_set_focus(GTK_WINDOW(p->window), p->no);
	gtk_widget_set_sensitive(p->yes, counts(p));
	trace("%s", counts(p) ? "ready" : "inert");
}

static gboolean wait_over(gpointer data)
{
	struct prompt *p = data;

	p->quiet_timer = 0;
	guard_update(p);
	return G_SOURCE_REMOVE;
}

void guard_again(struct prompt *p)
{
	p->quiet_until = g_get_monotonic_time() + p->sheet.inert * 1000LL;
	p->turn++;
	p->pressed = 0;
	if (p->quiet_timer)
		g_source_remove(p->quiet_timer);
	/* The timer counts whole milliseconds. */
	p->quiet_timer = g_timeout_add(p->sheet.inert + 1, wait_over, p);
	trace("again");
	guard_update(p);
}

/* on_paint is called when a frame is on screen: what it shows has been seen. */
static void on_paint(GdkFrameClock *clock, gpointer data)
{
	struct prompt *p = data;
	double at = gtk_adjustment_get_value(p->scroll), page = gtk_adjustment_get_page_size(p->scroll);

	(void)clock;
	if (!gtk_widget_get_mapped(p->window) || page < 1)
		return;
	if (at <= p->read_to + 1 && at + page > p->read_to) {
		p->read_to = at + page;
		trace("seen %d", (int)p->read_to);
	}
	if (!p->all_read && p->read_to + 1 >= gtk_adjustment_get_upper(p->scroll)) {
		p->all_read = true;
		trace("read");
		guard_update(p);
	}
	if (!p->painted) {
		p->painted = true;
		reach_shown();
		trace("painted");
		guard_again(p);
	}
}

/* on_scroll keeps anyone from jumping over what was not on screen yet. */
static void on_scroll(GtkAdjustment *a, gpointer data)
{
	struct prompt *p = data;

	if (!p->all_read && gtk_adjustment_get_value(a) > p->read_to)
		gtk_adjustment_set_value(a, p->read_to);
}

/* on_layout: the text wraps anew, so that what was read is not known any more. */
static void on_layout(GdkSurface *s, int width, int height, gpointer data)
{
	struct prompt *p = data;

	(void)s;
	if (width == p->width_now && height == p->height_now)
		return;
	if (width != p->width_now)
		p->read_to = 0;
	p->width_now = width;
	p->height_now = height;
	guard_again(p);
}

static void on_map(GtkWidget *w, gpointer data)
{
	struct prompt *p = data;

	(void)w;
	p->painted = false;
	x11_raise(p);
	guard_again(p);
}

static void on_active(GtkWindow *w, GParamSpec *spec, gpointer data)
{
	struct prompt *p = data;

	(void)spec;
	memset(p->held, 0, sizeof p->held);
	if (gtk_window_is_active(w))
		x11_keys(p);
	trace("active %d", gtk_window_is_active(w));
	guard_again(p);
}

static bool is_enter(guint key)
{
	return key == GDK_KEY_Return || key == GDK_KEY_KP_Enter || key == GDK_KEY_ISO_Enter;
}

static bool scrolls(struct prompt *p, guint key)
{
	double page = gtk_adjustment_get_page_size(p->scroll), at = gtk_adjustment_get_value(p->scroll);
	double line = gtk_adjustment_get_step_increment(p->scroll);

	switch (key) {
	case GDK_KEY_Down: case GDK_KEY_KP_Down: at += line; break;
	case GDK_KEY_Up: case GDK_KEY_KP_Up: at -= line; break;
	case GDK_KEY_Page_Down: case GDK_KEY_KP_Page_Down: at += page * 0.9; break;
	case GDK_KEY_Page_Up: case GDK_KEY_KP_Page_Up: at -= page * 0.9; break;
	case GDK_KEY_Home: case GDK_KEY_KP_Home: at = 0; break;
	case GDK_KEY_End: case GDK_KEY_KP_End: at = gtk_adjustment_get_upper(p->scroll); break;
	default: return false;
	}
	gtk_adjustment_set_value(p->scroll, at);
	return true;
}

static gboolean on_key(GtkEventControllerKey *c, guint key, guint code, GdkModifierType mods, gpointer data)
{
	struct prompt *p = data;
	guint8 *byte = &p->held[code / 8 % sizeof p->held], bit = (guint8)(1u << code % 8);
	bool fresh = !(*byte & bit);

	(void)c;
	*byte |= bit;
	trace("key %u %s", key, fresh ? "fresh" : "held");
	if (key == GDK_KEY_Tab || key == GDK_KEY_ISO_Left_Tab || key == GDK_KEY_Left || key == GDK_KEY_Right)
		return GDK_EVENT_PROPAGATE;
	if (key == GDK_KEY_Escape && fresh)
		prompt_no(p, "denied");
	if (is_enter(key) || key == GDK_KEY_space || key == GDK_KEY_KP_Space) {
		p->pressed = 0;
		if (fresh && quiet(p) && !(mods & (GDK_CONTROL_MASK | GDK_ALT_MASK | GDK_SUPER_MASK))) {
			p->pressed = code;
			p->pressed_turn = p->turn;
			p->pressed_on = gtk_window_get_focus(GTK_WINDOW(p->window));
		}
	} else {
		scrolls(p, key);
	}
	return GDK_EVENT_STOP;
}

static void on_key_up(GtkEventControllerKey *c, guint key, guint code, GdkModifierType mods, gpointer data)
{
	struct prompt *p = data;
	GtkWidget *on = gtk_window_get_focus(GTK_WINDOW(p->window));
	bool whole = p->pressed && p->pressed == code && p->pressed_turn == p->turn && p->pressed_on == on;

	(void)c, (void)mods;
	p->held[code / 8 % sizeof p->held] &= (guint8)~(1u << code % 8);
	trace("up %u %s", key, whole ? "whole" : "stray");
	if (!whole)
		return;
	p->pressed = 0;
	if (on == p->no)
		prompt_no(p, "denied");
	else if (p->yes && on == p->yes && counts(p) && !(is_enter(key) && p->sheet.one[TAG_ENTER]))
		prompt_yes(p);
	else if (GTK_IS_TOGGLE_BUTTON(on) && !is_enter(key) && gtk_widget_is_sensitive(on))
		gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(on), !gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(on)));
}

/* on_press ignores a run of clicks, wherever in the window they fall: all but the
 * first, and the wait begins anew. */
static void on_press(GtkGestureClick *g, int count, double x, double y, gpointer data)
{
	struct prompt *p = data;
	guint32 now = gtk_event_controller_get_current_event_time(GTK_EVENT_CONTROLLER(g));
	bool run = p->any_press && now - p->last_press < p->sheet.inert;

	(void)count, (void)x, (void)y;
	p->any_press = true;
	p->last_press = now;
	trace("press");
	if (!run)
		return;
	gtk_gesture_set_state(GTK_GESTURE(g), GTK_EVENT_SEQUENCE_CLAIMED);
	guard_again(p);
}

static void on_yes(GtkButton *b, gpointer data)
{
	(void)b;
	if (counts(data))
		prompt_yes(data);
}

static void on_no(GtkButton *b, gpointer p)
{
	(void)b;
	prompt_no(p, "denied");
}

static gboolean on_close(GtkWindow *w, gpointer p)
{
	(void)w;
	prompt_no(p, "closed");
	return TRUE;
}

void guard_attach(struct prompt *p)
{
	GtkEventController *keys = gtk_event_controller_key_new();
	GtkGesture *press = gtk_gesture_click_new();

	gtk_event_controller_set_propagation_phase(keys, GTK_PHASE_CAPTURE);
	g_signal_connect(keys, "key-pressed", G_CALLBACK(on_key), p);
	g_signal_connect(keys, "key-released", G_CALLBACK(on_key_up), p);
	gtk_widget_add_controller(p->window, keys);
	gtk_gesture_single_set_button(GTK_GESTURE_SINGLE(press), 0);
	gtk_event_controller_set_propagation_phase(GTK_EVENT_CONTROLLER(press), GTK_PHASE_CAPTURE);
	g_signal_connect(press, "pressed", G_CALLBACK(on_press), p);
	gtk_widget_add_controller(p->window, GTK_EVENT_CONTROLLER(press));
	if (p->yes)
		g_signal_connect(p->yes, "clicked", G_CALLBACK(on_yes), p);
	g_signal_connect(p->no, "clicked", G_CALLBACK(on_no), p);
	g_signal_connect(p->window, "close-request", G_CALLBACK(on_close), p);
	g_signal_connect(p->window, "map", G_CALLBACK(on_map), p);
	g_signal_connect(p->window, "notify::is-active", G_CALLBACK(on_active), p);
	g_signal_connect(p->scroll, "value-changed", G_CALLBACK(on_scroll), p);
	g_signal_connect(gtk_native_get_surface(GTK_NATIVE(p->window)), "layout", G_CALLBACK(on_layout), p);
	g_signal_connect(gtk_widget_get_frame_clock(p->window), "after-paint", G_CALLBACK(on_paint), p);
	guard_again(p);
}
