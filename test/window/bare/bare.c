// A bare host: what an application that shows a page by WebKitGTK is without
// Bailey's protections. It is the control run of attacks: what succeeds here and
// not in bailey-window was stopped by bailey-window.
//
//	bare DIR [-script FILE] [-frames] [-csp POLICY] [-url URL]
//
// It serves DIR as bailey://studio/, offers the message handler "bailey" to
// whoever finds it, lets pages open windows and gives every permission. It writes
// a line for each thing that happens: call TEXT, popup URI, document URI,
// permission TYPE, download URI.
#include <stdio.h>
#include <string.h>
#include <webkit/webkit.h>

static const char *dir, *csp;
static WebKitWebContext *context;
static WebKitUserContentManager *content;
static WebKitNetworkSession *session;
static GtkApplication *app;

static void line(const char *what, const char *text) {
	char *s = g_strescape(text == NULL ? "" : text, NULL);
	printf("%s %.300s\n", what, s);
	fflush(stdout);
	g_free(s);
}

static gboolean on_message(WebKitUserContentManager *m, JSCValue *v, WebKitScriptMessageReply *r, gpointer d) {
	(void)m, (void)d;
	char *s = jsc_value_to_string(v);
	line("call", s);
	JSCValue *ok = jsc_value_new_string(jsc_value_get_context(v), "ok");
	webkit_script_message_reply_return_value(r, ok);
	g_object_unref(ok);
	g_free(s);
	return TRUE;
}

static void on_scheme(WebKitURISchemeRequest *r, gpointer d) {
	(void)d;
	const char *path = webkit_uri_scheme_request_get_path(r);
	char *name = g_strconcat(dir, path == NULL || *path == 0 ? "/index.html" : path, NULL), *body = NULL;
	gsize n = 0;
	line("request", webkit_uri_scheme_request_get_uri(r));
	if (!g_file_get_contents(name, &body, &n, NULL)) body = g_strdup("");
	GInputStream *s = g_memory_input_stream_new_from_data(body, (gssize)n, g_free);
	WebKitURISchemeResponse *p = webkit_uri_scheme_response_new(s, (gint64)n);
	webkit_uri_scheme_response_set_content_type(p, g_str_has_suffix(name, ".js") ? "text/javascript" : "text/html");
	SoupMessageHeaders *h = soup_message_headers_new(SOUP_MESSAGE_HEADERS_RESPONSE);
	if (csp != NULL) soup_message_headers_append(h, "Content-Security-Policy", csp);
	webkit_uri_scheme_response_set_http_headers(p, h);
	webkit_uri_scheme_request_finish_with_response(r, p);
	g_object_unref(p);
	g_object_unref(s);
	g_free(name);
}

static gboolean on_permission(WebKitWebView *v, WebKitPermissionRequest *r, gpointer d) {
	(void)v, (void)d;
	line("permission", G_OBJECT_TYPE_NAME(r));
	webkit_permission_request_allow(r);
	return TRUE;
}

static gboolean on_menu(WebKitWebView *v, WebKitContextMenu *m, WebKitHitTestResult *h, gpointer d) {
	(void)v, (void)m, (void)h, (void)d;
	line("contextmenu", "");
	return FALSE;
}

static void on_load(WebKitWebView *v, WebKitLoadEvent e, gpointer d) {
	(void)d;
	if (e == WEBKIT_LOAD_COMMITTED) line("document", webkit_web_view_get_uri(v));
}

static WebKitWebView *make(WebKitWebView *related);

static WebKitWebView *on_create(WebKitWebView *v, WebKitNavigationAction *a, gpointer d) {
	(void)d;
	line("popup", webkit_uri_request_get_uri(webkit_navigation_action_get_request(a)));
	return make(v);
}

static gboolean on_download(WebKitNetworkSession *s, WebKitDownload *dl, gpointer d) {
	(void)s, (void)d;
	line("download", webkit_uri_request_get_uri(webkit_download_get_request(dl)));
	webkit_download_cancel(dl);
	return TRUE;
}

static WebKitWebView *make(WebKitWebView *related) {
	WebKitSettings *st = webkit_settings_new();
	g_object_set(st, "hardware-acceleration-policy", WEBKIT_HARDWARE_ACCELERATION_POLICY_NEVER, "javascript-can-open-windows-automatically", TRUE,
		     "enable-developer-extras", TRUE, "enable-write-console-messages-to-stdout", TRUE, "enable-media-stream", TRUE, "javascript-can-access-clipboard", TRUE,
		     "enable-webrtc", TRUE, "allow-top-navigation-to-data-urls", TRUE, NULL);
	WebKitWebView *v = related == NULL ? g_object_new(WEBKIT_TYPE_WEB_VIEW, "web-context", context, "network-session", session,
							   "user-content-manager", content, "settings", st, NULL)
					   : g_object_new(WEBKIT_TYPE_WEB_VIEW, "related-view", related, "user-content-manager", content, "settings", st, NULL);
	g_object_unref(st);
	g_signal_connect(v, "create", G_CALLBACK(on_create), NULL);
	g_signal_connect(v, "permission-request", G_CALLBACK(on_permission), NULL);
	g_signal_connect(v, "load-changed", G_CALLBACK(on_load), NULL);
	g_signal_connect(v, "context-menu", G_CALLBACK(on_menu), NULL);
	GtkWidget *w = gtk_application_window_new(app);
	gtk_window_set_title(GTK_WINDOW(w), related == NULL ? "bare" : "bare popup");
	gtk_window_set_default_size(GTK_WINDOW(w), 800, 600);
	gtk_window_set_child(GTK_WINDOW(w), GTK_WIDGET(v));
	gtk_window_present(GTK_WINDOW(w));
	return v;
}

static const char *script, *url = "bailey://studio/index.html";
static gboolean frames;

static void activate(GtkApplication *a) {
	app = a;
	context = webkit_web_context_new();
	webkit_web_context_register_uri_scheme(context, "bailey", on_scheme, NULL, NULL);
	WebKitSecurityManager *m = webkit_web_context_get_security_manager(context);
	webkit_security_manager_register_uri_scheme_as_secure(m, "bailey");
	webkit_security_manager_register_uri_scheme_as_cors_enabled(m, "bailey");
	session = webkit_network_session_new_ephemeral();
	g_signal_connect(session, "download-started", G_CALLBACK(on_download), NULL);
	content = webkit_user_content_manager_new();
	g_signal_connect(content, "script-message-with-reply-received::bailey", G_CALLBACK(on_message), NULL);
	webkit_user_content_manager_register_script_message_handler_with_reply(content, "bailey", NULL);
	char *text = NULL;
	if (script != NULL && g_file_get_contents(script, &text, NULL, NULL))
		webkit_user_content_manager_add_script(content, webkit_user_script_new(text, frames ? WEBKIT_USER_CONTENT_INJECT_ALL_FRAMES : WEBKIT_USER_CONTENT_INJECT_TOP_FRAME,
			WEBKIT_USER_SCRIPT_INJECT_AT_DOCUMENT_START, NULL, NULL));
	webkit_web_view_load_uri(make(NULL), url);
}

int main(int argc, char **argv) {
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-script") == 0 && i + 1 < argc) script = argv[++i];
		else if (strcmp(argv[i], "-csp") == 0 && i + 1 < argc) csp = argv[++i];
		else if (strcmp(argv[i], "-url") == 0 && i + 1 < argc) url = argv[++i];
		else if (strcmp(argv[i], "-frames") == 0) frames = TRUE;
		else dir = argv[i];
	}
	GtkApplication *a = gtk_application_new(NULL, G_APPLICATION_NON_UNIQUE);
	g_signal_connect(a, "activate", G_CALLBACK(activate), NULL);
	return g_application_run(G_APPLICATION(a), 0, NULL);
}
