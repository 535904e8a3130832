package main

import (
	"strings"
	"testing"
)

// surface is a policy that a page may call.
func surface(which, old, new string) string {
	return strings.Replace(policy(old, new), "max_request_bytes", "surfaces: "+which+" max_request_bytes", 1)
}

const (
	// handleOut answers with a grant's handle, in a message within.
	handleOut = `message_type { name: "G" field { name: "handle" number: 1 type: TYPE_BYTES label: LABEL_OPTIONAL options { [buf.validate.field] { bytes { len: 16 } } } } }
message_type { name: "Out" field { name: "g" number: 1 type: TYPE_MESSAGE type_name: ".PKG.G" label: LABEL_OPTIONAL } }`
)

func TestTypeScript(t *testing.T) {
	raw := strings.Replace(svc("CService", plainIn, surface("SURFACE_APP", "number: 7", "number: 9")), `message_type { name: "Out" }`, handleOut, 1)
	out, err := runLang(t, "ts",
		pkg(1, svc("AService", plainIn, policy("", ""))),
		pkg(2, svc("BService", grantIn, "server_streaming: true "+surface("SURFACE_APP", "number: 7, kind: KIND_NONE", "number: 3, kind: KIND_FILE_READ"))),
		pkg(3, raw),
		pkg(4, svc("DService", plainIn, surface("SURFACE_PANEL", "number: 7", "number: 11"))))
	if err != nil {
		t.Fatal(err)
	}
	app, panel, inner, methods := out["app.ts"], out["panel.ts"], out["raw.ts"], out["methods.ts"]
	for _, c := range []struct {
		file, text string
		want       bool
	}{
		// A method without a surface does not exist for a page.
		{methods, "AService", false},
		{app, `function bDo(core: Core, grant: Grant<"file.read">, `, true},
		{app, `AsyncGenerator<`, true},
		{app, "openGranted(core, methods.BServiceDo, grant, request, options)", true},
		{methods, `kind: "file.read"`, true},
		// What brings handles is for the SDK's own hands.
		{app, "cDo", false},
		{inner, "function cDo", true},
		// Each surface has its own.
		{app, "dDo", false},
		{panel, "function dDo", true},
		{panel, "bDo", false},
		{out["codes.ts"], `"grant-revoked",`, true},
		{out["codes.ts"], `"file.read": Number.FILE_READ`, true},
		{out["codes.ts"], "screen.capture", false},
	} {
		if strings.Contains(c.file, c.text) != c.want {
			t.Errorf("%q stands in it: %v, in\n%s", c.text, !c.want, c.file)
		}
	}
	for name := range out {
		if !strings.HasSuffix(name, ".ts") {
			t.Errorf("%s was written too", name)
		}
	}
	if _, err := runLang(t, "cobol", pkg(1, svc("AService", plainIn, policy("", "")))); err == nil {
		t.Error("an unknown language is taken")
	}
	if _, err := runLang(t, "ts", pkg(1, svc("AService", plainIn, ""))); err == nil {
		t.Error("a method without a policy is taken")
	}
}
