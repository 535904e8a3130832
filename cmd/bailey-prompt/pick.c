#define _GNU_SOURCE
/* Lets a person choose a folder by GTK's own chooser, which reads the person's
 * files in this process. It writes none: no bookmark, no recent file, no folder. */
#include "prompt.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long the core may take to open what was picked, milliseconds. */
enum { OPEN_WAIT = 10000 };

/* Of a chooser, on any screen. */
enum { WIDTH = 760, HEIGHT = 480 };

struct choice {
	GMainLoop *loop;
	char *path;
};

static void chosen(GtkNativeDialog *d, int response, gpointer data)
{
	struct choice *c = data;
	GFile *file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file(GTK_FILE_CHOOSER(d)) : NULL;

	c->path = file ? g_file_get_path(file) : NULL;
	g_clear_object(&file);
	g_main_loop_quit(c->loop);
}

static gboolean end(gpointer loop)
{
	g_main_loop_quit(loop);
	return G_SOURCE_REMOVE;
}

static void on_paint(GdkFrameClock *clock, gpointer window)
{
	(void)clock;
	if (gtk_widget_get_mapped(window))
		reach_shown();
}

static gboolean core_spoke(int fd, GIOCondition condition, gpointer loop)
{
	(void)fd, (void)condition;
	return end(loop);
}

static void send_folder(const char *path, int core)
{
	/* For reading, as its sandbox allows: a mere place (O_PATH) goes past Landlock,
	 * and is refused to whoever is confined by it. */
	int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct stat st;

	if (!path) {
		prompt_send(core, "none\n", strlen("none\n"), -1);
		return;
	}
	/* One that may not be read the core refuses, with the reason. */
	if ((fd < 0 ? stat(path, &st) : fstat(fd, &st)) != 0)
		st = (struct stat){0};
	char *line = g_strdup_printf("picked %llu %llu %zu\n%s", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, strlen(path), path);
	prompt_send(core, line, strlen(line), fd);
	g_free(line);
	/* Until the core has compared, the folder's inode stays taken. */
	poll(&(struct pollfd){.fd = core, .events = POLLIN}, 1, OPEN_WAIT);
}

int pick_folder(const struct sheet *s, int core)
{
	struct choice c = {.loop = g_main_loop_new(NULL, FALSE)};
	GtkFileChooserNative *n = gtk_file_chooser_native_new(s->one[TAG_TITLE], NULL, GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, s->one[TAG_YES], s->one[TAG_NO]);
	GFile *home = g_file_new_for_path(g_get_home_dir());
	/* Without a portal it is a window of ours, which knows no size. */
	GtkWidget *window = g_list_model_get_item(gtk_window_get_toplevels(), 0);

	if (!window) {
		prompt_send(core, "none\n", strlen("none\n"), -1);
		return EXIT_DISPLAY;
	}
	gtk_widget_set_size_request(window, WIDTH, HEIGHT);
	gtk_widget_realize(window);
	/* Before it looks at any folder. */
	reach_window();
	g_signal_connect(gtk_widget_get_frame_clock(window), "after-paint", G_CALLBACK(on_paint), window);
	trace("folder");
	/* The chooser offers the working directory as a place too. */
	if (chdir(g_get_home_dir()) != 0)
		trace("no home");
	gtk_file_chooser_set_create_folders(GTK_FILE_CHOOSER(n), FALSE);
	gtk_file_chooser_set_current_folder(GTK_FILE_CHOOSER(n), home, NULL);
	g_signal_connect(n, "response", G_CALLBACK(chosen), &c);
	g_unix_signal_add(SIGTERM, end, c.loop);
	g_unix_fd_add(core, G_IO_IN | G_IO_HUP | G_IO_ERR, core_spoke, c.loop);
	gtk_native_dialog_show(GTK_NATIVE_DIALOG(n));
	trace("built");
	g_main_loop_run(c.loop);
	g_object_unref(window);
	send_folder(c.path, core);
	return 0;
}
