/* X11 lets any program draw over any other, press its buttons and read where the
 * keyboard is; that cannot be lifted here and the sheet says so. This asks the
 * window manager to keep the prompt above what others do by accident, begins the
 * wait anew when the window is moved, and takes keys that were down before the
 * prompt had the focus for what they are. VisibilityNotify would not tell what
 * lies over it: the server never sends one for windows with an alpha channel. */
#include "prompt.h"

#include <gdk/x11/gdkx.h>
#include <X11/Xatom.h>

static Display *display(void)
{
	GdkDisplay *d = gdk_display_get_default();

	return GDK_IS_X11_DISPLAY(d) ? gdk_x11_display_get_xdisplay(d) : NULL;
}

static Window window(struct prompt *p)
{
	return gdk_x11_surface_get_xid(gtk_native_get_surface(GTK_NATIVE(p->window)));
}

static gboolean on_event(GdkX11Display *d, gpointer event, gpointer p)
{
	const XEvent *e = event;

	(void)d;
	if (e->type == ConfigureNotify && e->xany.window == window(p))
		guard_again(p); /* it moved, or others around it did */
	return FALSE;
}

void x11_prepare(struct prompt *p)
{
	Display *d = display();

	if (!d)
		return;
	Atom dialog = XInternAtom(d, "_NET_WM_WINDOW_TYPE_DIALOG", False);
	XChangeProperty(d, window(p), XInternAtom(d, "_NET_WM_WINDOW_TYPE", False), XA_ATOM, 32, PropModeReplace, (unsigned char *)&dialog, 1);
	g_signal_connect(gdk_display_get_default(), "xevent", G_CALLBACK(on_event), p);
}

void x11_raise(struct prompt *p)
{
	Display *d = display();
	XEvent above = {0};

	if (!d)
		return;
	above.xclient = (XClientMessageEvent){
		.type = ClientMessage, .window = window(p), .format = 32,
		.message_type = XInternAtom(d, "_NET_WM_STATE", False),
		.data.l = {1 /* add */, (long)XInternAtom(d, "_NET_WM_STATE_ABOVE", False), 0, 1 /* an ordinary application */},
	};
	XSendEvent(d, DefaultRootWindow(d), False, SubstructureNotifyMask | SubstructureRedirectMask, &above);
	XRaiseWindow(d, window(p));
}

void x11_keys(struct prompt *p)
{
	Display *d = display();

	if (d)
		XQueryKeymap(d, (char *)p->held);
}
