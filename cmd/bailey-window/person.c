/* What a page may cause outside of its own area: nothing by itself, and two things
 * while the person is at work in it: the menu of a <select>, and the selection that the middle button
 * pastes. WebKit 2.50 does both for a script alone: an event that the script made
 * up opens the menu, and select() takes the selection of the whole desktop. */
#define _GNU_SOURCE
#include "host.h"

#include <dlfcn.h>
#include <webkit/webkit.h>

/* How long after a key or a button what the page does may be the person's wish. */
#define ACT_HOLDS G_USEC_PER_SEC

static gint64 acted;

static bool just_acted(void)
{
	return acted != 0 && g_get_monotonic_time() - acted < ACT_HOLDS;
}

static gboolean on_event(GtkEventControllerLegacy *c, GdkEvent *e, gpointer data)
{
	(void)c, (void)data;
	const GdkModifierType held = GDK_BUTTON1_MASK | GDK_BUTTON2_MASK | GDK_BUTTON3_MASK;
	switch (gdk_event_get_event_type(e)) {
	case GDK_MOTION_NOTIFY:
		if ((gdk_event_get_modifier_state(e) & held) == 0)
			break;
		/* fall through */
	case GDK_BUTTON_PRESS:
	case GDK_BUTTON_RELEASE:
	case GDK_KEY_PRESS:
	case GDK_TOUCH_BEGIN:
	case GDK_TOUCH_UPDATE:
	case GDK_TOUCH_END:
		acted = g_get_monotonic_time();
		break;
	default:
		break;
	}
	return GDK_EVENT_PROPAGATE;
}

/* A tooltip holds the page's words, and on X11 it lies over every other window,
 * a question to the person too. The engine's own handler never gets to run. */
static gboolean on_tooltip(GtkWidget *w)
{
	return g_signal_stop_emission_by_name(w, "query-tooltip"), FALSE;
}

/* As a tooltip does. */
static gboolean on_menu(WebKitWebView *v, WebKitOptionMenu *m, GdkRectangle *at, gpointer data)
{
	(void)v, (void)at, (void)data;
	if (just_acted())
		return FALSE;
	link_refused("popup", "menu");
	webkit_option_menu_close(m);
	return TRUE;
}

/* A picture of the page's lies over all that is around the pointer, other windows
 * and a question to the person too: the pointer is one of the system's. */
static void on_pointer(GtkWidget *w, GParamSpec *p, gpointer data)
{
	(void)p, (void)data;
	GdkCursor *c = gtk_widget_get_cursor(w);
	if (c != NULL && gdk_cursor_get_texture(c) != NULL)
		gtk_widget_set_cursor(w, NULL);
}

/* What was selected before cannot be had back; but nothing of the page's is there. */
static void on_selection(GdkClipboard *c, gpointer data)
{
	(void)data;
	if (gdk_clipboard_is_local(c) && gdk_clipboard_get_content(c) != NULL && !just_acted())
		gdk_clipboard_set_content(c, NULL);
}

static gboolean end_drag(gpointer drag)
{
	g_signal_emit_by_name(drag, "cancel", GDK_DRAG_CANCEL_USER_CANCELLED);
	return G_SOURCE_REMOVE;
}

/* Nothing of a page is dragged: a picture of any size, of the page's making, would go
 * with the pointer over all windows, and its list of files be dropped on another
 * one. No signal tells of it before, so that the engine finds these two in the place of
 * GTK's: no picture is shown, and what has begun with nothing in it ends at once. */
void gtk_drag_icon_set_child(GtkDragIcon *icon, GtkWidget *picture)
{
	(void)icon;
	if (picture != NULL)
		g_object_unref(g_object_ref_sink(picture));
}

GdkDrag *gdk_drag_begin(GdkSurface *s, GdkDevice *d, GdkContentProvider *content, GdkDragAction actions, double dx, double dy)
{
	(void)content;
	__typeof__(gdk_drag_begin) *begin = (__typeof__(gdk_drag_begin) *)dlsym(RTLD_NEXT, "gdk_drag_begin");
	GdkContentProvider *nothing = gdk_content_provider_new_typed(G_TYPE_STRING, "");
	GdkDrag *drag = begin == NULL ? NULL : begin(s, d, nothing, actions, dx, dy);
	g_object_unref(nothing);
	link_refused("permission", "a drag");
	if (drag != NULL)
		g_idle_add_full(G_PRIORITY_HIGH, end_drag, g_object_ref(drag), g_object_unref);
	return drag;
}

void person_watch(GtkWidget *page)
{
	GtkEventController *all = gtk_event_controller_legacy_new();
	gtk_event_controller_set_propagation_phase(all, GTK_PHASE_CAPTURE);
	g_signal_connect(all, "event", G_CALLBACK(on_event), NULL);
	gtk_widget_add_controller(page, all);
	g_signal_connect(page, "query-tooltip", G_CALLBACK(on_tooltip), NULL);
	g_signal_connect(page, "notify::cursor", G_CALLBACK(on_pointer), NULL);
	g_signal_connect(page, "show-option-menu", G_CALLBACK(on_menu), NULL);
	g_signal_connect(gdk_display_get_primary_clipboard(gdk_display_get_default()), "changed", G_CALLBACK(on_selection), NULL);
}
