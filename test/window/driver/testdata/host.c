// A bare host that WebDriver can drive, with one page under a strict policy.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <webkit/webkit.h>

static WebKitWebView *view;

static WebKitWebView *same_view(WebKitAutomationSession *s, gpointer d) {
	(void)s, (void)d;
	return view;
}

static void started(WebKitWebContext *c, WebKitAutomationSession *s, gpointer d) {
	(void)c, (void)d;
	WebKitApplicationInfo *i = webkit_application_info_new();
	webkit_application_info_set_name(i, "host");
	webkit_automation_session_set_application_info(s, i);
	webkit_application_info_unref(i);
	g_signal_connect(s, "create-web-view", G_CALLBACK(same_view), NULL);
}

static void serve(WebKitURISchemeRequest *r, gpointer d) {
	(void)d;
	gboolean js = g_str_has_suffix(webkit_uri_scheme_request_get_path(r), ".js");
	const char *body = js ? "press.onclick = () => { said.textContent = 'pressed' }"
			      : "<!doctype html><meta charset=utf-8><title>driven</title><h1 id=said>Good morning</h1>"
				"<button id=press>Press me</button><label>Your name<input id=name></label><script src=/a.js></script>";
	GInputStream *s = g_memory_input_stream_new_from_data(body, -1, NULL);
	WebKitURISchemeResponse *p = webkit_uri_scheme_response_new(s, -1);
	webkit_uri_scheme_response_set_content_type(p, js ? "text/javascript" : "text/html");
	SoupMessageHeaders *h = soup_message_headers_new(SOUP_MESSAGE_HEADERS_RESPONSE);
	soup_message_headers_append(h, "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'");
	webkit_uri_scheme_response_set_http_headers(p, h);
	webkit_uri_scheme_request_finish_with_response(r, p);
	g_object_unref(p);
	g_object_unref(s);
}

static void activate(GtkApplication *a) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(2999), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	for (int i = 0; i < 1000; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0), ok = bind(s, (void *)&at, sizeof at) == 0;
		close(s);
		if (ok) break;
		usleep(20000);
	}
	g_setenv("WEBKIT_INSPECTOR_SERVER", "127.0.0.1:2999", TRUE);
	WebKitWebContext *c = webkit_web_context_new();
	webkit_web_context_set_automation_allowed(c, TRUE);
	g_signal_connect(c, "automation-started", G_CALLBACK(started), NULL);
	webkit_web_context_register_uri_scheme(c, "bailey", serve, NULL, NULL);
	WebKitSettings *st = webkit_settings_new();
	webkit_settings_set_hardware_acceleration_policy(st, WEBKIT_HARDWARE_ACCELERATION_POLICY_NEVER);
	view = g_object_new(WEBKIT_TYPE_WEB_VIEW, "web-context", c, "network-session", webkit_network_session_new_ephemeral(),
			    "settings", st, "is-controlled-by-automation", TRUE, NULL);
	GtkWidget *w = gtk_application_window_new(a);
	gtk_window_set_title(GTK_WINDOW(w), "driven");
	gtk_window_set_default_size(GTK_WINDOW(w), 900, 600);
	gtk_window_set_child(GTK_WINDOW(w), GTK_WIDGET(view));
	webkit_web_view_load_uri(view, "bailey://studio/index.html");
	gtk_window_present(GTK_WINDOW(w));
}

int main(void) {
	GtkApplication *a = gtk_application_new(NULL, G_APPLICATION_NON_UNIQUE);
	g_signal_connect(a, "activate", G_CALLBACK(activate), NULL);
	return g_application_run(G_APPLICATION(a), 0, NULL);
}
