/* One question on the screen. view.c draws it, guard.c decides when an answer
 * counts, x11.c does what only X11 needs, main.c reads the sheet and writes the
 * one line. */
#ifndef BAILEY_PROMPT_H
#define BAILEY_PROMPT_H

#include <gtk/gtk.h>

#include "sheet.h"

/* How it ends: without a display, with a sheet that is none, or where the kernel
 * does not let it confine itself. */
enum { EXIT_DISPLAY = 1, EXIT_SHEET = 2, EXIT_CONFINED = 3 };

struct prompt {
	struct sheet sheet;
	int core; /* the connection */
	GMainLoop *loop;
	bool answered;

	/* What view.c made. */
	GtkWidget *window, *yes, *no, *status, *content; /* yes: NULL on a notice */
	GtkAdjustment *scroll;
	char *said;                  /* all of the question, for a screen reader */
	GtkWidget *tick[SHEET_ROWS]; /* NULL where the row is fixed */
	bool fixed[SHEET_ROWS];      /* whether a fixed row is part of a yes */

	/* What guard.c knows. */
	bool painted;         /* since it was mapped */
	bool all_read;        /* the end was on screen, and all before it */
	double read_to;       /* from the top, pixels */
	double height, page;  /* of the content, of what is seen of it */
	int width_now, height_now;
	gint64 quiet_until;   /* monotonic, microseconds */
	guint quiet_timer;
	unsigned turn;        /* counts each time that the wait began anew */
	guint32 last_press;   /* of a pointer, milliseconds */
	bool any_press;
	guint8 held[32];      /* keys that are down, a bit each */
	guint pressed;        /* a key that may become an answer, 0 = none */
	unsigned pressed_turn;
	GtkWidget *pressed_on;
};

/* main.c */
void prompt_no(struct prompt *p, const char *word);
void prompt_yes(struct prompt *p);
void prompt_send(int fd, const char *b, size_t n, int carry);

/* view.c; view_environment goes before GTK starts. */
void view_environment(const struct sheet *s, bool picker);
void view_settings(struct sheet *s);
void view_build(struct prompt *p);
void view_status(struct prompt *p, const char *text);
bool view_row(const struct prompt *p, unsigned row);

/* guard.c */
void guard_attach(struct prompt *p);
/* guard_again begins the wait anew. */
void guard_again(struct prompt *p);
void guard_update(struct prompt *p);

/* x11.c: each does nothing elsewhere. */
void x11_prepare(struct prompt *p);
void x11_raise(struct prompt *p);
void x11_keys(struct prompt *p);

/* reach.c: reach_begin goes before the first window. Most versions of GTK connect
 * to the accessibility bus when that is made, and reach_window is the end of making
 * connections; where they do not, reach_shown is, when a window is on screen. */
void reach_begin(void);
void reach_window(void);
void reach_shown(void);

/* pick.c */
int pick_folder(const struct sheet *s, int core);

/* What a test build says on standard error, and no other. */
#ifdef BAILEY_TRACE
#define trace(...) (fprintf(stderr, "trace %lld ", (long long)g_get_monotonic_time()), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))
#else
#define trace(...) ((void)0)
#endif

#endif
