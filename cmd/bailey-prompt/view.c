/* The looks: labels, boxes, two buttons. Text is set as text everywhere, never as
 * markup, and wrapped everywhere, never cut. */
#include "prompt.h"

#include <gdk/x11/gdkx.h>
#include <string.h>

/* Pixels that do not grow with the text. */
enum { MARGIN = 24, GAP = 12, WIDTH = 560, EDGE = 32, TICK = 20 };

static const char *const palettes[] = {
	/* light */
	"@define-color bg #fcfcfd; @define-color fg #1c1c21; @define-color dim #5b5b66; @define-color box #f1f1f4;"
	"@define-color line #d3d3db; @define-color key #1d56c4; @define-color on_key #ffffff; @define-color press #e4e4ea;"
	"@define-color warn #fdf3d8; @define-color on_warn #5f4700; @define-color warn_line #e3c979;",
	/* dark */
	"@define-color bg #26262b; @define-color fg #f3f3f6; @define-color dim #b4b4bf; @define-color box #1b1b1f;"
	"@define-color line #47474f; @define-color key #8ab4ff; @define-color on_key #10203f; @define-color press #3a3a42;"
	"@define-color warn #3a321d; @define-color on_warn #ffe4a8; @define-color warn_line #6f5d2b;",
	/* light, high contrast */
	"@define-color bg #ffffff; @define-color fg #000000; @define-color dim #000000; @define-color box #ffffff;"
	"@define-color line #000000; @define-color key #00308a; @define-color on_key #ffffff; @define-color press #e0e0e0;"
	"@define-color warn #ffffff; @define-color on_warn #000000; @define-color warn_line #000000;",
	/* dark, high contrast */
	"@define-color bg #000000; @define-color fg #ffffff; @define-color dim #ffffff; @define-color box #000000;"
	"@define-color line #ffffff; @define-color key #a9cbff; @define-color on_key #000000; @define-color press #303030;"
	"@define-color warn #000000; @define-color on_warn #ffffff; @define-color warn_line #ffffff;",
};

static const char rules[] =
	"window.ask { background: @bg; color: @fg; font: 11pt sans-serif; }"
	"window.ask.solid-csd { border: 1px solid @line; padding: 0; box-shadow: none; }"
	"window.ask.csd { border: 1px solid @line; border-radius: 12px; box-shadow: 0 4px 18px alpha(black, 0.45); }"
	"window.ask .titlebar { background: none; border: none; box-shadow: none; padding: 0; min-height: 0; border-radius: 0; }"
	".bar { padding: 16px 24px 2px 24px; font-size: 10pt; color: @dim; }"
	".heading { font-size: 14.5pt; font-weight: 700; margin-bottom: 2px; }"
	".group { font-weight: 600; margin-top: 6px; }"
	".object { font-family: monospace; font-size: 10.5pt; background: @box; border: 1px solid @line; border-radius: 8px;"
	"  padding: 9px 12px; }"
	/* Few sizes and weights: each is looked for among all fonts of the system. */
	".detail, .stop, .whose, .status { color: @dim; font-size: 10pt; }"
	".denies { margin-top: 6px; }"
	".whose { margin-top: 6px; margin-bottom: -6px; }"
	".words { border-left: 3px solid @line; padding: 1px 0 1px 14px; font-style: italic; }"
	".warning { background: @warn; color: @on_warn; border: 1px solid @warn_line; border-radius: 8px; padding: 9px 12px;"
	"  font-size: 10pt; margin-top: 6px; }"
	".foot { border-top: 1px solid @line; padding: 16px 24px 20px 24px; }"
	"window.ask button { background: @box; color: @fg; border: 1px solid @line; border-radius: 8px; padding: 7px 18px;"
	"  min-height: 22px; box-shadow: none; text-shadow: none; font-weight: 600; transition: none; outline: none; }"
	"window.ask button:hover, window.ask button:active { background: @press; }"
	"window.ask button:focus { outline: 3px solid alpha(@key, 0.7); outline-offset: 2px; }"
	"window.ask button.yes { background: @key; color: @on_key; border-color: @key; }"
	"window.ask button.yes:hover, window.ask button.yes:active { background: mix(@key, @fg, 0.15); }"
	"window.ask button.yes:disabled { background: none; color: @dim; border-color: @line; }"
	"window.ask button.tick { padding: 7px; border: none; background: none; min-width: 0; min-height: 0; margin-left: -7px; }"
	"window.ask button.tick:dir(rtl) { margin-left: 0; margin-right: -7px; }"
	"window.ask button.tick:focus { outline-offset: -3px; }"
	"window.ask button.tick:disabled { color: @dim; }"
	"window.ask scrolledwindow, window.ask viewport { background: none; border: none; }"
	"window.ask scrollbar { background: none; border: none; padding: 0; transition: none; }"
	"window.ask scrollbar slider { background: @dim; background-clip: padding-box; border: 3px solid transparent; margin: 0;"
	"  min-width: 6px; min-height: 40px; border-radius: 8px; transition: none; }";

/* right_to_left are the languages of scripts that are written that way. */
static bool right_to_left(const char *language)
{
	static const char *const those[] = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"};
	size_t n = strcspn(language, "-_.");

	for (size_t i = 0; i < G_N_ELEMENTS(those); i++)
		if (strlen(those[i]) == n && !g_ascii_strncasecmp(language, those[i], n))
			return true;
	return false;
}

static bool dark(const struct sheet *s)
{
	return s->one[TAG_SCHEME] && !strcmp(s->one[TAG_SCHEME], "dark");
}

/* A prompt brings all its looks, so GTK need not read a theme, which takes longer
 * than all the rest. The chooser of folders is GTK's own. */
void view_environment(const struct sheet *s, bool picker)
{
	char *theme = g_strconcat("Default", s->one[TAG_CONTRAST] ? "-hc" : "", dark(s) ? ":dark" : "", NULL);

	g_setenv("GTK_THEME", picker ? theme : "Empty", TRUE);
	if (picker)
		g_setenv("LANGUAGE", s->one[TAG_LANGUAGE], TRUE);
	g_free(theme);
}

void view_settings(struct sheet *s)
{
	enum { DPI = 96 * 1024 };
	int dpi = 0;
	GtkCssProvider *css = gtk_css_provider_new();
	char *sheet = g_strconcat(palettes[(s->one[TAG_CONTRAST] ? 2 : 0) + (dark(s) ? 1 : 0)], rules, NULL);

	/* X11 desktops say the size of text, or of the screen's points, here too. */
	g_object_get(gtk_settings_get_default(), "gtk-xft-dpi", &dpi, NULL);
	if (dpi > DPI)
		s->scale = CLAMP((unsigned)(dpi / (DPI / 1000.0)), s->scale, SHEET_SCALE_MAX);
	g_object_set(gtk_settings_get_default(), "gtk-enable-animations", FALSE, "gtk-xft-dpi", (int)(DPI / 1000.0 * s->scale),
		"gtk-recent-files-enabled", FALSE, "gtk-overlay-scrolling", FALSE, "gtk-titlebar-double-click", "none",
		"gtk-titlebar-right-click", "none", NULL);
	gtk_widget_set_default_direction(right_to_left(s->one[TAG_LANGUAGE]) ? GTK_TEXT_DIR_RTL : GTK_TEXT_DIR_LTR);
	gtk_css_provider_load_from_data(css, sheet, -1);
	gtk_style_context_add_provider_for_display(gdk_display_get_default(), GTK_STYLE_PROVIDER(css), GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
	g_object_unref(css);
	g_free(sheet);
}

/* label shows a text that wraps, words first, letters where a word is too long.
 * Its direction is that of its first letter; see pango_layout_set_auto_dir. */
static GtkWidget *label(struct prompt *p, const char *text, const char *class)
{
	GtkWidget *w = gtk_label_new(text);
	GtkLabel *l = GTK_LABEL(w);
	PangoAttrList *attrs = pango_attr_list_new();

	pango_attr_list_insert(attrs, pango_attr_language_new(pango_language_from_string(p->sheet.one[TAG_LANGUAGE])));
	/* A hyphen that is not in a name may not stand on the screen. */
	pango_attr_list_insert(attrs, pango_attr_insert_hyphens_new(FALSE));
	gtk_label_set_attributes(l, attrs);
	pango_attr_list_unref(attrs);
	gtk_label_set_wrap(l, TRUE);
	gtk_label_set_wrap_mode(l, PANGO_WRAP_WORD_CHAR);
	gtk_label_set_xalign(l, 0);
	gtk_widget_set_hexpand(w, TRUE);
	gtk_widget_add_css_class(w, class);
	return w;
}

/* object shows a name whole. Its parts keep their places whatever script they are
 * in: a mark of direction (LRM) stands before it and behind each slash on the
 * screen, and not in what a screen reader is given. */
static GtkWidget *object(struct prompt *p, const char *text)
{
	GString *shown = g_string_new("\u200e");
	GtkWidget *w;

	for (const char *s = text; *s; s++) {
		g_string_append_c(shown, *s);
		if (*s == '/')
			g_string_append(shown, "\u200e");
	}
	w = label(p, shown->str, "object");
	gtk_accessible_update_property(GTK_ACCESSIBLE(w), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
	g_string_free(shown, TRUE);
	return w;
}

static void draw_tick(GtkDrawingArea *area, cairo_t *c, int width, int height, gpointer button)
{
	GdkRGBA fg;
	double u = MIN(width, height) / (double)TICK;

	gtk_style_context_get_color(gtk_widget_get_style_context(GTK_WIDGET(area)), &fg);
	gdk_cairo_set_source_rgba(c, &fg);
	cairo_scale(c, u, u);
	cairo_set_line_width(c, 1.5);
	cairo_rectangle(c, 1.75, 1.75, TICK - 3.5, TICK - 3.5);
	cairo_stroke(c);
	if (!gtk_toggle_button_get_active(button))
		return;
	cairo_set_line_width(c, 2.5);
	cairo_move_to(c, 5, 10.5);
	cairo_line_to(c, 8.75, 14);
	cairo_line_to(c, 15, 6);
	cairo_stroke(c);
}

static void toggled(GtkToggleButton *b, gpointer p)
{
	gtk_accessible_update_state(GTK_ACCESSIBLE(b), GTK_ACCESSIBLE_STATE_CHECKED, (int)gtk_toggle_button_get_active(b), -1);
	gtk_widget_queue_draw(gtk_button_get_child(GTK_BUTTON(b)));
	guard_update(p);
}

/* tick is a check box. GtkCheckButton of GTK 4.8 offers screen readers no action,
 * so this is a toggle button that looks and is announced as one. */
static GtkWidget *tick(struct prompt *p, bool on, bool fixed, const char *name)
{
	GtkWidget *b = g_object_new(GTK_TYPE_TOGGLE_BUTTON, "accessible-role", GTK_ACCESSIBLE_ROLE_CHECKBOX, NULL);
	GtkWidget *area = g_object_new(GTK_TYPE_DRAWING_AREA, "accessible-role", GTK_ACCESSIBLE_ROLE_PRESENTATION, NULL);
	int size = (int)(TICK * p->sheet.scale / 1000);

	gtk_drawing_area_set_content_width(GTK_DRAWING_AREA(area), size);
	gtk_drawing_area_set_content_height(GTK_DRAWING_AREA(area), size);
	gtk_drawing_area_set_draw_func(GTK_DRAWING_AREA(area), draw_tick, b, NULL);
	gtk_button_set_child(GTK_BUTTON(b), area);
	gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(b), on);
	gtk_widget_set_sensitive(b, !fixed);
	gtk_widget_set_valign(b, GTK_ALIGN_START);
	gtk_widget_add_css_class(b, "tick");
	gtk_accessible_update_property(GTK_ACCESSIBLE(b), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
	gtk_accessible_update_state(GTK_ACCESSIBLE(b), GTK_ACCESSIBLE_STATE_CHECKED, (int)on, -1);
	g_signal_connect(b, "toggled", G_CALLBACK(toggled), p);
	return b;
}

bool view_row(const struct prompt *p, unsigned row)
{
	return p->tick[row] ? gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(p->tick[row])) : p->fixed[row];
}

static GtkWidget *box(GtkOrientation way, int gap)
{
	return g_object_new(GTK_TYPE_BOX, "orientation", way, "spacing", gap, "accessible-role", GTK_ACCESSIBLE_ROLE_GROUP, NULL);
}

/* row draws one grant: what it is about, and below it for how long. */
static GtkWidget *row(struct prompt *p, size_t i, unsigned n, bool ticks)
{
	const struct item *item = p->sheet.item + i;
	GtkWidget *line = box(GTK_ORIENTATION_HORIZONTAL, 6), *facts = box(GTK_ORIENTATION_VERTICAL, 6);
	GString *said = g_string_new(NULL);
	bool on = item->text[0] == 'x', fixed = item->text[1] == 0;
	const char *name = item[1].text;

	gtk_box_append(GTK_BOX(facts), object(p, name));
	for (size_t k = i + 2; k < p->sheet.items && p->sheet.item[k].tag == TAG_DETAIL; k++) {
		gtk_box_append(GTK_BOX(facts), label(p, p->sheet.item[k].text, "detail"));
		g_string_append_printf(said, "%s%s", said->len ? "\n" : "", p->sheet.item[k].text);
	}
	p->fixed[n] = on;
	if (ticks) {
		GtkWidget *b = tick(p, on, fixed, name);
		gtk_accessible_update_property(GTK_ACCESSIBLE(b), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, said->str, -1);
		p->tick[n] = fixed ? NULL : b;
		gtk_box_append(GTK_BOX(line), b);
	}
	gtk_box_append(GTK_BOX(line), facts);
	g_string_free(said, TRUE);
	return line;
}

static GtkWidget *content(struct prompt *p)
{
	GtkWidget *all = box(GTK_ORIENTATION_VERTICAL, GAP);
	GString *said = g_string_new(p->sheet.one[TAG_HEADING]);
	unsigned n = 0;
	bool ticks = false;

	for (size_t i = 0; i < p->sheet.items; i++)
		ticks = ticks || (p->sheet.item[i].tag == TAG_ROW && p->sheet.item[i].text[1] == 't');
	gtk_box_append(GTK_BOX(all), label(p, p->sheet.one[TAG_HEADING], "heading"));
	for (size_t i = 0; i < p->sheet.items; i++) {
		const struct item *item = p->sheet.item + i;
		GtkWidget *w = NULL;
		switch (item->tag) {
		case TAG_GROUP: w = label(p, item->text, "group"); break;
		case TAG_ROW: w = row(p, i, n++, ticks); break;
		case TAG_WORDS: w = label(p, item->text, "words"); break;
		case TAG_WORDS_OF: w = label(p, item->text, "whose"); break;
		case TAG_DENIES: w = label(p, item->text, "denies"); break;
		case TAG_STOP: w = label(p, item->text, "stop"); break;
		default: break; /* an object and its details came with their row */
		}
		if (item->tag != TAG_ROW)
			g_string_append_printf(said, "\n%s", item->text);
		if (w)
			gtk_box_append(GTK_BOX(all), w);
	}
	if (p->sheet.one[TAG_WARNING]) {
		gtk_box_append(GTK_BOX(all), label(p, p->sheet.one[TAG_WARNING], "warning"));
		g_string_append_printf(said, "\n%s", p->sheet.one[TAG_WARNING]);
	}
	p->said = g_string_free(said, FALSE);
	gtk_widget_set_margin_start(all, MARGIN);
	gtk_widget_set_margin_end(all, MARGIN);
	gtk_widget_set_margin_top(all, GAP);
	gtk_widget_set_margin_bottom(all, MARGIN - 4);
	return all;
}

static GtkWidget *button(struct prompt *p, enum tag tag, const char *class)
{
	GtkWidget *b = gtk_button_new(), *l = label(p, p->sheet.one[tag], class);

	gtk_label_set_wrap(GTK_LABEL(l), FALSE);
	gtk_label_set_justify(GTK_LABEL(l), GTK_JUSTIFY_CENTER);
	gtk_label_set_xalign(GTK_LABEL(l), 0.5);
	gtk_button_set_child(GTK_BUTTON(b), l);
	gtk_widget_add_css_class(b, class);
	gtk_accessible_update_property(GTK_ACCESSIBLE(b), GTK_ACCESSIBLE_PROPERTY_LABEL, p->sheet.one[tag], -1);
	return b;
}

/* describe has a screen reader that comes to the window read all of it in order,
 * and that an answer does not count yet. */
static void describe(struct prompt *p, const char *text)
{
	char *all = g_strjoin("\n", p->said, *text ? text : NULL, NULL);

	gtk_accessible_update_property(GTK_ACCESSIBLE(p->window), GTK_ACCESSIBLE_PROPERTY_LABEL, p->sheet.one[TAG_TITLE],
		GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, all, -1);
	g_free(all);
}

void view_status(struct prompt *p, const char *text)
{
	if (!strcmp(gtk_label_get_text(GTK_LABEL(p->status)), text))
		return;
	trace("status %s", text);
	gtk_label_set_text(GTK_LABEL(p->status), text);
	gtk_accessible_update_property(GTK_ACCESSIBLE(p->status), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
	gtk_accessible_update_property(GTK_ACCESSIBLE(p->yes), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
	describe(p, text);
}

static int natural(GtkWidget *w, GtkOrientation way, int other)
{
	int n;

	gtk_widget_measure(w, way, other, NULL, &n, NULL, NULL);
	return n;
}

/* foot is the buttons and room for the line that says why "yes" is grey. */
static GtkWidget *foot(struct prompt *p)
{
	GtkWidget *all = box(GTK_ORIENTATION_HORIZONTAL, GAP), *buttons = box(GTK_ORIENTATION_HORIZONTAL, GAP);

	p->no = button(p, TAG_NO, "no");
	if (p->sheet.one[TAG_YES])
		p->yes = button(p, TAG_YES, "yes");
	p->status = label(p, "", "status");
	g_object_set(p->status, "accessible-role", GTK_ACCESSIBLE_ROLE_STATUS, NULL);
	gtk_box_set_homogeneous(GTK_BOX(buttons), TRUE);
	gtk_widget_set_hexpand(buttons, FALSE);
	gtk_widget_set_halign(buttons, GTK_ALIGN_END);
	gtk_widget_set_valign(buttons, GTK_ALIGN_CENTER);
	gtk_box_append(GTK_BOX(buttons), p->no);
	if (p->yes)
		gtk_box_append(GTK_BOX(buttons), p->yes);
	gtk_box_append(GTK_BOX(all), p->status);
	gtk_box_append(GTK_BOX(all), buttons);
	gtk_widget_add_css_class(all, "foot");
	return all;
}

/* fold puts one above the other what does not fit side by side: first the line
 * and the buttons, where a fifth of the room is not left for the line, then the
 * buttons. */
static void fold(struct prompt *p, GtkWidget *foot, int room)
{
	GtkWidget *buttons = gtk_widget_get_last_child(foot);
	int need = natural(buttons, GTK_ORIENTATION_HORIZONTAL, -1);

	if (need > room * 4 / 5 - GAP)
		gtk_orientable_set_orientation(GTK_ORIENTABLE(foot), GTK_ORIENTATION_VERTICAL);
	if (need > room) {
		gtk_widget_set_halign(buttons, GTK_ALIGN_FILL);
		gtk_orientable_set_orientation(GTK_ORIENTABLE(buttons), GTK_ORIENTATION_VERTICAL);
		gtk_label_set_wrap(GTK_LABEL(gtk_button_get_child(GTK_BUTTON(p->no))), TRUE);
		if (p->yes)
			gtk_label_set_wrap(GTK_LABEL(gtk_button_get_child(GTK_BUTTON(p->yes))), TRUE);
	}
}

/* screen is the room that there is for a window on every screen. */
static GdkRectangle screen(void)
{
	GdkRectangle all = {0, 0, G_MAXINT, G_MAXINT}, one;
	GListModel *monitors = gdk_display_get_monitors(gdk_display_get_default());

	for (guint i = 0; i < g_list_model_get_n_items(monitors); i++) {
		GdkMonitor *m = g_list_model_get_item(monitors, i);
		if (GDK_IS_X11_MONITOR(m))
			gdk_x11_monitor_get_workarea(m, &one);
		else
			gdk_monitor_get_geometry(m, &one);
		all.width = MIN(all.width, one.width);
		all.height = MIN(all.height, one.height);
		g_object_unref(m);
	}
	return all;
}

void view_build(struct prompt *p)
{
	GdkRectangle room = screen();
	int width = MIN((int)(WIDTH * p->sheet.scale / 1000), room.width - EDGE);
	GtkWidget *bar = gtk_window_handle_new(), *all = box(GTK_ORIENTATION_VERTICAL, 0);
	GtkWidget *scrolled = gtk_scrolled_window_new(), *feet, *view;

	p->window = g_object_new(GTK_TYPE_WINDOW, "accessible-role", GTK_ACCESSIBLE_ROLE_ALERT_DIALOG, "title", p->sheet.one[TAG_TITLE],
		"modal", TRUE, NULL);
	gtk_widget_add_css_class(p->window, "ask");
	gtk_window_handle_set_child(GTK_WINDOW_HANDLE(bar), label(p, p->sheet.one[TAG_TITLE], "bar"));
	gtk_window_set_titlebar(GTK_WINDOW(p->window), bar);
	p->content = content(p);
	feet = foot(p);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), p->content);
	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_box_append(GTK_BOX(all), scrolled);
	gtk_box_append(GTK_BOX(all), feet);
	gtk_window_set_child(GTK_WINDOW(p->window), all);
	gtk_widget_set_size_request(all, width, -1);
	p->scroll = gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scrolled));
	/* Styles have to be known before anything can be measured. */
	gtk_widget_realize(p->window);
	x11_prepare(p);
	fold(p, feet, width - 2 * MARGIN);
	/* The foot has room for either line, so that nothing moves when they change.
	 * Where all fits but for that, the line is left to screen readers. */
	int most = room.height - EDGE - natural(bar, GTK_ORIENTATION_VERTICAL, width), tall = 0;
	int whole = natural(p->content, GTK_ORIENTATION_VERTICAL, width), low;
	for (enum tag t = TAG_UNREAD; t <= TAG_WAIT; t++) {
		gtk_label_set_text(GTK_LABEL(p->status), p->yes ? p->sheet.one[t] : "");
		tall = MAX(tall, natural(feet, GTK_ORIENTATION_VERTICAL, width));
	}
	gtk_widget_set_visible(p->status, FALSE);
	low = natural(feet, GTK_ORIENTATION_VERTICAL, width);
	gtk_widget_set_visible(p->status, whole <= most - tall || whole > most - low);
	if (!gtk_widget_get_visible(p->status)) {
		tall = low;
		gtk_widget_set_hexpand(gtk_widget_get_last_child(feet), TRUE);
	}
	gtk_label_set_text(GTK_LABEL(p->status), "");
	if (!p->yes)
		describe(p, "");
	gtk_widget_set_size_request(feet, -1, tall);
	gtk_scrolled_window_set_min_content_height(GTK_SCROLLED_WINDOW(scrolled), MAX(MIN(whole, most - tall), 1));
	gtk_window_set_default_size(GTK_WINDOW(p->window), width, -1);
	view = gtk_scrolled_window_get_child(GTK_SCROLLED_WINDOW(scrolled));
	gtk_viewport_set_scroll_to_focus(GTK_VIEWPORT(view), TRUE);
	gtk_window_set_focus(GTK_WINDOW(p->window), p->no);
	gtk_window_set_focus_visible(GTK_WINDOW(p->window), TRUE);
}
