package apps

import "strings"

// policy is the Content-Security-Policy of every page. Nothing is loaded that
// is not the app's own; no frames, no workers, no plugins, no forms; HTML is made
// by the one policy that Svelte brings, which the compiler's templates alone use.
func policy() string {
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:", "font-src 'self'",
		"connect-src 'self'", "frame-src 'none'", "worker-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		"require-trusted-types-for 'script'", "trusted-types svelte-trusted-html",
	}, "; ")
}

// features are what a page could ask the engine for, each switched off. What a
// person grants comes through the core.
func features() string {
	names := []string{
		"accelerometer", "ambient-light-sensor", "autoplay", "battery", "bluetooth", "camera", "clipboard-read", "display-capture",
		"encrypted-media", "fullscreen", "gamepad", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection",
		"local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-get",
		"screen-wake-lock", "serial", "speaker-selection", "storage-access", "usb", "web-share", "xr-spatial-tracking",
	}
	return strings.Join(names, "=(), ") + "=()"
}

// Headers returns the header lines of a response of a media type, each "Name:
// value". Responses without a body have them too: an error is a document.
func Headers(mediaType string) []string {
	return []string{
		"Content-Type: " + mediaType,
		"Content-Security-Policy: " + policy(),
		"X-Content-Type-Options: nosniff",
		"Referrer-Policy: no-referrer",
		"Permissions-Policy: " + features(),
		"Cross-Origin-Opener-Policy: same-origin",
		"Cross-Origin-Embedder-Policy: require-corp",
		"Cross-Origin-Resource-Policy: same-origin",
		"Cache-Control: no-store",
	}
}
