/* A window of Bailey: one process, one connection to the core, one page. It is a
 * pipe of bytes between the two. It opens no file, has no network, and parses
 * nothing but the header of a frame and the fields of its configuration. */
#ifndef BAILEY_HOST_H
#define BAILEY_HOST_H

#include <gtk/gtk.h>

#include "frame.h"

/* The one connection, which the process is born with. */
#define CORE_FD 3

/* link.c: the connection. */

/* Waits for the first frame, which is the configuration, and returns its
 * payload, ended by a NUL beyond *length; NULL when there is none. */
char *link_configuration(size_t *length);

/* Called for each frame; payload belongs to the caller and has a NUL behind its
 * end. fd is -1 or belongs to the callee. */
typedef void (*link_frame)(const struct frame *f, uint8_t *payload, int fd);
/* Called once, when the core is gone. */
typedef void (*link_end)(void);
void link_open(link_frame on_frame, link_end on_end);

/* Queues a frame; never waits. False, with nothing queued, when the core has
 * been so slow to read that no more is kept for it. */
bool link_send(enum frame_type type, uint64_t id, const void *payload, size_t n);
/* Reports something refused to the page, a few times a second at most. */
void link_refused(const char *word, const char *detail);

/* view.c: the page. */

struct config {
	const char *app, *title, *language, *renderer;
	int width, height;
};

/* Before GTK or WebKit start: what the environment must say. */
void view_prepare(const struct config *c);
GtkWidget *view_new(const struct config *c);
void view_load(void);
void view_zoom(double scale, bool dark);
/* Frames that are the page's. */
void view_response(uint64_t id, uint8_t *payload, size_t n, int fd);
void view_reply(uint64_t id, const uint8_t *payload, size_t n);
/* The page is taken out of the window for good: its process ends with it. */
void view_end(void);

/* person.c: holds what the page does outside of its area to what the person does. */
void person_watch(GtkWidget *page);

/* main.c: the window. */

/* The page has painted for the first time. */
void window_painted(void);
/* Shows a text of our own in the page's place, and a button that closes. */
void window_says_crashed(void);

#endif
