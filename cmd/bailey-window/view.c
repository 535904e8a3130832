#define _GNU_SOURCE
#include "host.h"

#include <arpa/inet.h>
#include <gio/gunixinputstream.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <webkit/webkit.h>

#include "page.inc"

#define SCHEME "bailey"
/* Calls and requests that may be on the way at once: more than a page with a
 * hundred things on it asks for, less than what makes a host grow. */
#define CALLS_MAX 256
#define REQUESTS_MAX 256
/* Reloads after a crash, and in what time. */
#define RELOADS_MAX 3
#define RELOADS_WINDOW (60 * G_USEC_PER_SEC)
/* A page's process beyond this is ended, and the page begins anew, in MB. */
#define PAGE_MEMORY_MB 3072
/* A page that has come and is shown paints in this time, in seconds. */
#define BLANK_AFTER 8

static WebKitWebView *view;
static WebKitUserContentManager *content;
static char *origin, *document;
/* That of the document, and that of the one that is on its way. */
static char secret[SECRET_LENGTH + 1], next_secret[SECRET_LENGTH + 1];
/* The next navigation to the document is the host's own. */
static bool opening;
static guint blank_timer;
static GHashTable *calls, *requests;
static uint64_t last_id;
static gint64 crashes[RELOADS_MAX];
static unsigned crash;

/* What a page of Bailey's does not need. What an engine does not know by name it
 * has not got. */
static const char *const unwanted[] = {
	"ServiceWorkers", "ServiceWorkerNavigationPreload", "SharedWorker", "BackgroundFetchAPI", "PushAPI", "Notifications",
	"NotificationEvent", "WebSocket", "WebTransport", "BeaconAPI", "BroadcastChannel", "PeerConnection", "WebRTC",
	"MediaDevices", "MediaStream", "MediaRecorder", "MediaSession", "MediaSource", "ManagedMediaSource", "ScreenCapture",
	"SpeechSynthesisAPI", "SpeechRecognition", "GetUserMediaRequiresFocus", "ExposeCaptureDevicesAfterCapture",
	"Gamepads", "GeolocationAPI", "WebGL", "WebGPU", "WebXR", "WebAudio", "WebCodecsVideo", "WebCodecsAudio", "WebCodecsAV1",
	"WebCodecsHEVC", "Media", "GStreamer", "EncryptedMediaAPI", "PointerLock", "FullScreen", "ScreenWakeLockAPI",
	"IndexedDBAPI", "Databases", "LocalStorage", "CacheAPI", "Cookie", "CookieStoreAPI", "StorageAPI", "FileSystem",
	"DirectoryUpload", "PDFJSViewer", "EmbedElement", "XSLT", "LinkPreconnect", "LinkDNSPrefetch",
	"LinkPreconnectEarlyHints", "LinkPrefetch", "PrivateClickMeasurement", "UsesBackForwardCache", "InputTypeColor",
	"NeedsSiteSpecificQuirks", "WebAuthentication", "DigitalCredentials", "ContactPickerAPI", "PaymentRequest", "Reporting",
	"InteractiveFormValidation", "DataListElement", /* Its bubble, its list lie over other windows, as a tooltip does. */
};

static void use_settings(WebKitSettings *s)
{
	g_object_set(s, "enable-developer-extras", FALSE, "enable-html5-local-storage", FALSE, "enable-html5-database", FALSE,
		"enable-page-cache", FALSE, "enable-webgl", FALSE, "enable-webaudio", FALSE, "enable-media", FALSE,
		"enable-media-stream", FALSE, "enable-mediasource", FALSE, "enable-webrtc", FALSE, "enable-encrypted-media", FALSE,
		"enable-fullscreen", FALSE, "enable-back-forward-navigation-gestures", FALSE,
		"enable-site-specific-quirks", FALSE, "allow-modal-dialogs", FALSE, "allow-file-access-from-file-urls", FALSE,
		"allow-universal-access-from-file-urls", FALSE, "allow-top-navigation-to-data-urls", FALSE,
		"javascript-can-open-windows-automatically", FALSE, "javascript-can-access-clipboard", FALSE,
		"disable-web-security", FALSE, "hardware-acceleration-policy", WEBKIT_HARDWARE_ACCELERATION_POLICY_NEVER, NULL);
	WebKitFeatureList *all = webkit_settings_get_all_features();
	for (gsize i = 0; i < webkit_feature_list_get_length(all); i++) {
		WebKitFeature *f = webkit_feature_list_get(all, i);
		for (gsize j = 0; j < G_N_ELEMENTS(unwanted); j++)
			if (strcmp(webkit_feature_get_identifier(f), unwanted[j]) == 0)
				webkit_settings_set_feature_enabled(s, f, FALSE);
	}
	webkit_feature_list_unref(all);
#ifdef AUTOMATION
	webkit_settings_set_enable_write_console_messages_to_stdout(s, TRUE);
#endif
}

/* The secret of the next document, in the script that brings it there. */
static void renew_secret(void)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t random[SECRET_LENGTH / 2];
	if (getrandom(random, sizeof random, 0) != sizeof random)
		g_error("no random bytes");
	for (size_t i = 0; i < sizeof random; i++) {
		next_secret[2 * i] = digits[random[i] >> 4];
		next_secret[2 * i + 1] = digits[random[i] & 15];
	}
	char **parts = g_strsplit(page_script, "@SECRET@", 2);
	char *source = g_strjoinv(next_secret, parts);
	WebKitUserScript *script = webkit_user_script_new(source, WEBKIT_USER_CONTENT_INJECT_TOP_FRAME,
		WEBKIT_USER_SCRIPT_INJECT_AT_DOCUMENT_START, NULL, NULL);
	webkit_user_content_manager_remove_all_scripts(content);
	webkit_user_content_manager_add_script(content, script);
	webkit_user_script_unref(script);
	g_free(source);
	g_strfreev(parts);
}

/* ---- calls ---- */

struct call {
	WebKitScriptMessageReply *reply;
	JSCContext *context;
};

static void call_free(gpointer p)
{
	struct call *c = p;
	webkit_script_message_reply_unref(c->reply);
	g_object_unref(c->context);
	g_free(c);
}

static void answer(WebKitScriptMessageReply *reply, JSCContext *context, const uint8_t *bytes, size_t n)
{
	uint8_t *text = g_malloc(2 * n + 1);
	size_t m = latin1_encode(bytes, n, text);
	GBytes *b = g_bytes_new_take(text, m);
	JSCValue *v = jsc_value_new_string_from_bytes(context, b);
	webkit_script_message_reply_return_value(reply, v);
	g_object_unref(v);
	g_bytes_unref(b);
}

static gboolean refuse(WebKitScriptMessageReply *reply, const char *word)
{
	link_refused(word, NULL);
	webkit_script_message_reply_return_error_message(reply, word);
	return TRUE;
}

static gboolean on_message(WebKitUserContentManager *m, JSCValue *value, WebKitScriptMessageReply *reply, gpointer data)
{
	(void)m, (void)data;
	if (!jsc_value_is_string(value))
		return refuse(reply, "type");
	GBytes *text = jsc_value_to_string_as_bytes(value);
	gsize n;
	const uint8_t *p = g_bytes_get_data(text, &n);
	const char *word = NULL;
	if (n < SECRET_LENGTH || secret[0] == 0 || !secret_equal(p, (const uint8_t *)secret)) {
		word = "secret";
	} else if (n > SECRET_LENGTH + 2 * MESSAGE_MAX) {
		word = "size";
	} else if (n == SECRET_LENGTH) {
		answer(reply, jsc_value_get_context(value), NULL, 0);
		window_painted();
		g_clear_handle_id(&blank_timer, g_source_remove);
	} else {
		uint8_t *bytes = g_malloc(n);
		ptrdiff_t len = latin1_decode(p + SECRET_LENGTH, n - SECRET_LENGTH, bytes);
		if (len < 0)
			word = "type";
		else if ((size_t)len > MESSAGE_MAX)
			word = "size";
		else if (g_hash_table_size(calls) >= CALLS_MAX || !link_send(FRAME_CALL, last_id + 1, bytes, (size_t)len))
			word = "flood";
		else {
			struct call *c = g_new(struct call, 1);
			*c = (struct call){webkit_script_message_reply_ref(reply), g_object_ref(jsc_value_get_context(value))};
			g_hash_table_insert(calls, g_memdup2(&(uint64_t){++last_id}, sizeof last_id), c);
		}
		g_free(bytes);
	}
	g_bytes_unref(text);
	return word == NULL ? TRUE : refuse(reply, word);
}

void view_reply(uint64_t id, const uint8_t *payload, size_t n)
{
	struct call *c = g_hash_table_lookup(calls, &id);
	if (c == NULL) /* Of a document that is gone. */
		return;
	answer(c->reply, c->context, payload, n);
	g_hash_table_remove(calls, &id);
}

/* ---- content ---- */

/* The body of a response. The descriptor is closed here and not by the stream,
 * which WebKit closes before it is gone: by then the number may be another's. */
struct body {
	uint64_t id;
	int fd;
};

static void body_gone(gpointer data, GObject *stream)
{
	(void)stream;
	struct body *b = data;
	/* What is read to its end is over; the rest is not wanted any more. */
	struct pollfd at = {.fd = b->fd, .events = POLLIN};
	char more;
	if (poll(&at, 1, 0) != 1 || read(b->fd, &more, 1) != 0)
		link_send(FRAME_CANCELLED, b->id, NULL, 0);
	close(b->fd);
	g_free(b);
}

static void add_header(const char *name, const char *value, void *headers)
{
	soup_message_headers_append(headers, name, value);
}

static void respond(WebKitURISchemeRequest *r, GInputStream *body, unsigned status, SoupMessageHeaders *headers)
{
	WebKitURISchemeResponse *response = webkit_uri_scheme_response_new(body, -1);
	webkit_uri_scheme_response_set_status(response, status, NULL);
	const char *type = soup_message_headers_get_content_type(headers, NULL);
	webkit_uri_scheme_response_set_content_type(response, type == NULL ? "application/octet-stream" : type);
	webkit_uri_scheme_response_set_http_headers(response, headers);
	webkit_uri_scheme_request_finish_with_response(r, response);
	g_object_unref(response);
}

static void respond_empty(WebKitURISchemeRequest *r, unsigned status)
{
	GInputStream *nothing = g_memory_input_stream_new();
	SoupMessageHeaders *headers = soup_message_headers_new(SOUP_MESSAGE_HEADERS_RESPONSE);
	soup_message_headers_append(headers, "Content-Security-Policy", "default-src 'none'");
	respond(r, nothing, status, headers);
	g_object_unref(nothing);
}

static void on_request(WebKitURISchemeRequest *r, gpointer data)
{
	(void)data;
	const char *uri = webkit_uri_scheme_request_get_uri(r);
	size_t n = strlen(origin);
	if (strncmp(uri, origin, n) != 0 || uri[n] != '/') {
		link_refused("navigation", uri);
		respond_empty(r, 403);
		return;
	}
	if (g_strcmp0(webkit_uri_scheme_request_get_http_method(r), "GET") != 0) {
		link_refused("method", webkit_uri_scheme_request_get_http_method(r));
		respond_empty(r, 405);
		return;
	}
	if (g_hash_table_size(requests) >= REQUESTS_MAX || !link_send(FRAME_REQUEST, last_id + 1, uri + n, strcspn(uri + n, "#"))) {
		link_refused("flood", NULL);
		respond_empty(r, 503);
		return;
	}
	g_hash_table_insert(requests, g_memdup2(&(uint64_t){++last_id}, sizeof last_id), g_object_ref(r));
}

void view_response(uint64_t id, uint8_t *payload, size_t n, int fd)
{
	gpointer key, found;
	if (!g_hash_table_steal_extended(requests, &id, &key, &found)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	g_free(key);
	WebKitURISchemeRequest *r = found;
	SoupMessageHeaders *headers = soup_message_headers_new(SOUP_MESSAGE_HEADERS_RESPONSE);
	unsigned status;
	GInputStream *body;
	if (!response_head(payload, n, &status, add_header, headers))
		status = 500;
	if (fd >= 0) {
		body = g_unix_input_stream_new(fd, FALSE);
		struct body *b = g_new(struct body, 1);
		*b = (struct body){id, fd};
		g_object_weak_ref(G_OBJECT(body), body_gone, b);
	} else {
		body = g_memory_input_stream_new();
	}
	respond(r, body, status, headers);
	g_object_unref(body);
	g_object_unref(r);
}

static void view_stop(void)
{
	secret[0] = 0;
	g_hash_table_remove_all(calls);
	g_hash_table_remove_all(requests);
	g_clear_handle_id(&blank_timer, g_source_remove);
}

/* ---- what a page may not do ---- */

static gboolean ignore(WebKitPolicyDecision *d, const char *word, const char *uri)
{
	link_refused(word, uri);
	webkit_policy_decision_ignore(d);
	return TRUE;
}

static gboolean on_policy(WebKitWebView *v, WebKitPolicyDecision *d, WebKitPolicyDecisionType type, gpointer data)
{
	(void)v, (void)data;
	if (type == WEBKIT_POLICY_DECISION_TYPE_RESPONSE) {
		WebKitResponsePolicyDecision *r = WEBKIT_RESPONSE_POLICY_DECISION(d);
		const char *uri = webkit_uri_request_get_uri(webkit_response_policy_decision_get_request(r));
		if (!g_str_has_prefix(uri, origin) || uri[strlen(origin)] != '/')
			return ignore(d, "navigation", uri);
		/* What is asked about here is documents. A frame that script has written to has
		 * this one's address, and by a reload it has passed for the document below. */
		if (!webkit_response_policy_decision_is_main_frame_main_resource(r))
			return ignore(d, "frame", uri);
		if (!webkit_response_policy_decision_is_mime_type_supported(r))
			return ignore(d, "download", uri);
		webkit_policy_decision_use(d);
		return TRUE;
	}
	WebKitNavigationAction *a = webkit_navigation_policy_decision_get_navigation_action(WEBKIT_NAVIGATION_POLICY_DECISION(d));
	const char *uri = webkit_uri_request_get_uri(webkit_navigation_action_get_request(a));
	size_t n = strcspn(uri, "#");
	if (type == WEBKIT_POLICY_DECISION_TYPE_NEW_WINDOW_ACTION)
		return ignore(d, "popup", uri);
	/* Frames are asked about here too, and cannot be told apart: none may go
	 * anywhere. The document itself comes by the host's wish or is reloaded; that
	 * something is behind a '#' does not say that it stays. */
	if (strlen(document) == n && memcmp(uri, document, n) == 0 &&
	    (opening || webkit_navigation_action_get_navigation_type(a) == WEBKIT_NAVIGATION_TYPE_RELOAD)) {
		opening = false;
		renew_secret();
		webkit_policy_decision_use(d);
		return TRUE;
	}
	return ignore(d, strcmp(uri, "about:srcdoc") == 0 ? "frame" : "navigation", uri);
}

static GtkWidget *on_create(WebKitWebView *v, WebKitNavigationAction *a, gpointer data)
{
	(void)v, (void)data;
	link_refused("popup", webkit_uri_request_get_uri(webkit_navigation_action_get_request(a)));
	return NULL;
}

static gboolean on_permission(WebKitWebView *v, WebKitPermissionRequest *r, gpointer data)
{
	(void)v, (void)data;
	link_refused("permission", G_OBJECT_TYPE_NAME(r));
	webkit_permission_request_deny(r);
	return TRUE;
}

static gboolean on_permission_state(WebKitWebView *v, WebKitPermissionStateQuery *q, gpointer data)
{
	(void)v, (void)data;
	webkit_permission_state_query_finish(q, WEBKIT_PERMISSION_STATE_DENIED);
	return TRUE;
}

static gboolean on_file_chooser(WebKitWebView *v, WebKitFileChooserRequest *r, gpointer data)
{
	(void)v, (void)data;
	link_refused("permission", "file chooser");
	webkit_file_chooser_request_cancel(r);
	return TRUE;
}

static gboolean on_color_chooser(WebKitWebView *v, WebKitColorChooserRequest *r, gpointer data)
{
	(void)v, (void)data;
	webkit_color_chooser_request_cancel(r);
	return TRUE;
}

static void on_download(WebKitNetworkSession *s, WebKitDownload *d, gpointer data)
{
	(void)s, (void)data;
	link_refused("download", webkit_uri_request_get_uri(webkit_download_get_request(d)));
	webkit_download_cancel(d);
}

/* No dialog of a script is shown, and none keeps the page from being left. */
static gboolean on_dialog(WebKitWebView *v, WebKitScriptDialog *d, gpointer data)
{
	(void)v, (void)data;
	if (webkit_script_dialog_get_dialog_type(d) == WEBKIT_SCRIPT_DIALOG_BEFORE_UNLOAD_CONFIRM)
		webkit_script_dialog_confirm_set_confirmed(d, TRUE);
	return TRUE;
}

/* For signals whose answer is that nothing more is done. */
static gboolean on_nothing(void)
{
	return TRUE;
}

static gboolean on_context_menu(WebKitWebView *v, WebKitContextMenu *m, WebKitHitTestResult *h, gpointer data)
{
	(void)v, (void)m, (void)h, (void)data;
	link_refused("contextmenu", NULL);
	return TRUE;
}

/* ---- its life ---- */

static gboolean on_blank(gpointer data)
{
	(void)data;
	if (!gtk_widget_get_mapped(GTK_WIDGET(view)))
		return G_SOURCE_CONTINUE;
	blank_timer = 0;
	link_send(FRAME_BLANK, 0, NULL, 0);
	return G_SOURCE_REMOVE;
}

static void on_load(WebKitWebView *v, WebKitLoadEvent event, gpointer data)
{
	(void)v, (void)data;
	if (event == WEBKIT_LOAD_COMMITTED) {
		view_stop();
		memcpy(secret, next_secret, sizeof secret);
		link_send(FRAME_DOCUMENT, 0, NULL, 0);
		blank_timer = g_timeout_add_seconds(BLANK_AFTER, on_blank, NULL);
	}
}

void view_end(void)
{
	view_stop();
	view = NULL;
}

void view_load(void)
{
	if (view == NULL)
		return;
	opening = true;
	webkit_web_view_load_uri(view, document);
}

/* Not from within the report of the end. */
static gboolean give_up(gpointer data)
{
	(void)data;
	window_says_crashed();
	return G_SOURCE_REMOVE;
}

static gboolean load_again(gpointer data)
{
	(void)data;
	view_load();
	return G_SOURCE_REMOVE;
}

static void on_crash(WebKitWebView *v, WebKitWebProcessTerminationReason reason, gpointer data)
{
	(void)v, (void)data;
	const char *word = reason == WEBKIT_WEB_PROCESS_EXCEEDED_MEMORY_LIMIT ? "memory" :
			   reason == WEBKIT_WEB_PROCESS_CRASHED               ? "crashed" :
									       "terminated";
	view_stop();
	link_send(FRAME_CRASHED, 0, word, strlen(word));
	gint64 now = g_get_monotonic_time(), *slot = &crashes[crash++ % RELOADS_MAX];
	if (*slot != 0 && now - *slot < RELOADS_WINDOW) {
		g_idle_add(give_up, NULL);
		return;
	}
	*slot = now;
	g_idle_add(load_again, NULL);
}

/* A file that is dropped is not the page's: its path goes to the core, where it
 * is a claim and no more. What the page itself let be dragged is none. */
static gboolean on_drop(GtkDropTarget *t, const GValue *value, double x, double y, gpointer data)
{
	(void)x, (void)y, (void)data;
	GdkDrop *from = gtk_drop_target_get_current_drop(t);
	if (from == NULL || gdk_drop_get_drag(from) != NULL)
		return link_refused("permission", "a drag of its own"), TRUE;
	GSList *files = gdk_file_list_get_files(g_value_get_boxed(value));
	for (GSList *l = files; l != NULL; l = l->next) {
		const char *path = g_file_peek_path(l->data);
		if (path != NULL)
			link_send(FRAME_DROPPED, 0, path, strlen(path));
	}
	g_slist_free(files);
	return TRUE;
}

void view_zoom(double scale, bool dark)
{
	if (view == NULL)
		return;
	/* What is seen until the page has a colour of its own. */
	GdkRGBA ground = dark ? (GdkRGBA){0.11f, 0.11f, 0.12f, 1} : (GdkRGBA){1, 1, 1, 1};
	webkit_web_view_set_background_color(view, &ground);
	webkit_web_view_set_zoom_level(view, scale);
}

void view_prepare(const struct config *c)
{
	if (strcmp(c->renderer, "software") == 0) {
		g_setenv("LIBGL_ALWAYS_SOFTWARE", "1", TRUE);
		g_setenv("WEBKIT_SKIA_ENABLE_CPU_RENDERING", "1", TRUE);
		g_setenv("WEBKIT_DISABLE_DMABUF_RENDERER", "1", TRUE);
	}
#ifdef AUTOMATION
	/* The test brings the loopback of this window's network namespace up. */
	const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(2999), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	for (int tries = 0, up = -1; up != 0 && tries < 1000; tries++) {
		int s = socket(AF_INET, SOCK_STREAM, 0);
		up = bind(s, (const struct sockaddr *)&at, sizeof at);
		close(s);
		if (up != 0)
			g_usleep(20000);
	}
	g_setenv("WEBKIT_INSPECTOR_SERVER", "127.0.0.1:2999", TRUE);
	dup2(STDERR_FILENO, STDOUT_FILENO);
#endif
}

#ifdef AUTOMATION
static WebKitWebView *on_automation_view(WebKitAutomationSession *s, gpointer data)
{
	(void)s, (void)data;
	return view;
}

static void on_automation(WebKitWebContext *c, WebKitAutomationSession *s, gpointer data)
{
	(void)c, (void)data;
	WebKitApplicationInfo *info = webkit_application_info_new();
	webkit_application_info_set_name(info, "bailey-window-automation");
	webkit_automation_session_set_application_info(s, info);
	webkit_application_info_unref(info);
	g_signal_connect(s, "create-web-view", G_CALLBACK(on_automation_view), NULL);
}
#endif

GtkWidget *view_new(const struct config *c)
{
	origin = g_strconcat(SCHEME "://", c->app, NULL);
	document = g_strconcat(origin, "/index.html", NULL);
	calls = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, call_free);
	requests = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_object_unref);

	WebKitMemoryPressureSettings *memory = webkit_memory_pressure_settings_new();
	webkit_memory_pressure_settings_set_memory_limit(memory, PAGE_MEMORY_MB);
	/* From 4 % on, looked at every 30 s, it gives back what it keeps for later. */
	webkit_memory_pressure_settings_set_conservative_threshold(memory, 0.04);
	webkit_memory_pressure_settings_set_kill_threshold(memory, 1.0);
	WebKitWebContext *context = g_object_new(WEBKIT_TYPE_WEB_CONTEXT, "memory-pressure-settings", memory, NULL);
	webkit_memory_pressure_settings_free(memory);
	webkit_web_context_set_cache_model(context, WEBKIT_CACHE_MODEL_DOCUMENT_VIEWER);
	char *language = g_strdelimit(g_strdup(c->language), "_", '-');
	language[strcspn(language, ".@")] = 0;
	if (language[0] != 0)
		webkit_web_context_set_preferred_languages(context, (const char *const[]){language, NULL});
	g_free(language);
	webkit_web_context_register_uri_scheme(context, SCHEME, on_request, NULL, NULL);
	WebKitSecurityManager *security = webkit_web_context_get_security_manager(context);
	webkit_security_manager_register_uri_scheme_as_secure(security, SCHEME);
	webkit_security_manager_register_uri_scheme_as_cors_enabled(security, SCHEME);

	WebKitNetworkSession *session = webkit_network_session_new_ephemeral();
	g_signal_connect(session, "download-started", G_CALLBACK(on_download), NULL);
	content = webkit_user_content_manager_new();
	g_signal_connect(content, "script-message-with-reply-received::bailey", G_CALLBACK(on_message), NULL);
	webkit_user_content_manager_register_script_message_handler_with_reply(content, "bailey", NULL);
	WebKitSettings *settings = webkit_settings_new();
	use_settings(settings);
#ifdef AUTOMATION
	webkit_web_context_set_automation_allowed(context, TRUE);
	g_signal_connect(context, "automation-started", G_CALLBACK(on_automation), NULL);
#endif
	view = g_object_new(WEBKIT_TYPE_WEB_VIEW, "web-context", context, "network-session", session, "user-content-manager",
		content, "settings", settings,
#ifdef AUTOMATION
		"is-controlled-by-automation", TRUE,
#endif
		NULL);
	const struct {
		const char *name;
		GCallback call;
	} signals[] = {
		{"decide-policy", G_CALLBACK(on_policy)}, {"create", G_CALLBACK(on_create)}, {"load-changed", G_CALLBACK(on_load)},
		{"web-process-terminated", G_CALLBACK(on_crash)}, {"permission-request", G_CALLBACK(on_permission)},
		{"query-permission-state", G_CALLBACK(on_permission_state)}, {"run-file-chooser", G_CALLBACK(on_file_chooser)},
		{"run-color-chooser", G_CALLBACK(on_color_chooser)}, {"context-menu", G_CALLBACK(on_context_menu)},
		{"script-dialog", G_CALLBACK(on_dialog)}, {"print", G_CALLBACK(on_nothing)}, {"enter-fullscreen", G_CALLBACK(on_nothing)},
		{"show-notification", G_CALLBACK(on_nothing)}, {"load-failed", G_CALLBACK(on_nothing)}, {"load-failed-with-tls-errors", G_CALLBACK(on_nothing)},
	};
	for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
		g_signal_connect(view, signals[i].name, signals[i].call, NULL);
	GtkDropTarget *drop = gtk_drop_target_new(GDK_TYPE_FILE_LIST, GDK_ACTION_COPY | GDK_ACTION_LINK);
	gtk_event_controller_set_propagation_phase(GTK_EVENT_CONTROLLER(drop), GTK_PHASE_CAPTURE);
	g_signal_connect(drop, "drop", G_CALLBACK(on_drop), NULL);
	gtk_widget_add_controller(GTK_WIDGET(view), GTK_EVENT_CONTROLLER(drop));
	g_object_unref(settings);
	g_object_unref(session);
	g_object_unref(context);
	return GTK_WIDGET(view);
}
