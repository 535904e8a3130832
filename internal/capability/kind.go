package capability

import "github.com/bailey-run/bailey/internal/wire/policyv1"

// Name is how a kind is written in the log, in JSON and in the manifest.
func Name(k policyv1.Kind) string {
	if int(k) < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// kindNames is indexed by the schema's numbers; a test holds it complete.
var kindNames = [...]string{
	policyv1.Kind_KIND_UNSPECIFIED:    "unknown",
	policyv1.Kind_KIND_NONE:           "none",
	policyv1.Kind_KIND_FILE_READ:      "file.read",
	policyv1.Kind_KIND_FILE_WRITE:     "file.write",
	policyv1.Kind_KIND_MODEL_RUN:      "model.run",
	policyv1.Kind_KIND_GPU_USE:        "gpu.use",
	policyv1.Kind_KIND_AUDIO_CAPTURE:  "audio.capture",
	policyv1.Kind_KIND_NET_FETCH:      "net.fetch",
	policyv1.Kind_KIND_TOOL_START:     "tool.start",
	policyv1.Kind_KIND_TOOL_CALL:      "tool.call",
	policyv1.Kind_KIND_EXEC_RUN:       "exec.run",
	policyv1.Kind_KIND_PLUGIN_RUN:     "plugin.run",
	policyv1.Kind_KIND_CLIPBOARD_READ: "clipboard.read",
	policyv1.Kind_KIND_NOTIFY:         "notify",
	policyv1.Kind_KIND_SECRET_USE:     "secret.use",
	policyv1.Kind_KIND_SCREEN_CAPTURE: "screen.capture",
	policyv1.Kind_KIND_INPUT_OBSERVE:  "input.observe",
}
