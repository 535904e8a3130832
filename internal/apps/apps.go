// Package apps is the table of the apps that are part of Bailey, and the reader
// of their files. An app is data: what its page may call stands in the policy of
// each method, and what it may ask a person for in its row here.
//
// The files of an app come as one archive whose SHA-256 is linked into the core;
// one byte that differs and none of it is used. They are served from memory by
// their exact names: no name is decoded, joined or looked for anywhere else, and
// an unknown one is nothing.
//
// Only the core and the tool that packs apps call it.
package apps

import (
	"slices"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// The surfaces as they stand in the log and in a session.
const (
	SurfaceWindow = "window"
	SurfacePanel  = "panel"
)

// The ids of the apps of Bailey's own.
const (
	Studio = "studio"
	Panels = "panels"
)

// App is one row of the table.
type App struct {
	// ID names it in addresses, records and remembered permissions.
	ID string
	// Name is what a person reads, as the window's title too.
	Name string
	// Surface is what its page is to the core.
	Surface policyv1.Surface
	// Ceiling are the kinds that it may ask for and use; none = nothing that
	// needs a grant.
	Ceiling []policyv1.Kind
	// Views are what it can be opened at; none = it has one.
	Views []string
	// Width and Height are of its first window.
	Width, Height int
}

// All lists the apps.
func All() []App {
	return []App{
		{
			ID: Studio, Name: "Bailey Studio", Surface: policyv1.Surface_SURFACE_APP,
			Ceiling: []policyv1.Kind{policyv1.Kind_KIND_FILE_READ, policyv1.Kind_KIND_MODEL_RUN},
			Width:   limits.WindowWidth, Height: limits.WindowHeight,
		},
		{
			ID: Panels, Name: "Bailey", Surface: policyv1.Surface_SURFACE_PANEL, Views: []string{"permissions", "activity"},
			Width: limits.PanelWidth, Height: limits.PanelHeight,
		},
	}
}

// Find returns the app of an id.
func Find(id string) (App, bool) {
	for _, a := range All() {
		if a.ID == id {
			return a, true
		}
	}
	return App{}, false
}

// Allows reports whether the app may ask for a kind and use it. What needs no
// grant is under no ceiling.
func (a App) Allows(k policyv1.Kind) bool {
	return k == policyv1.Kind_KIND_NONE || slices.Contains(a.Ceiling, k)
}

// SurfaceName is the app's surface as it stands in the log.
func (a App) SurfaceName() string {
	if a.Surface == policyv1.Surface_SURFACE_PANEL {
		return SurfacePanel
	}
	return SurfaceWindow
}

// Untrusted reports whether a session's surface is an app's page, from which
// what a person knows of its machine is kept.
func Untrusted(surface string) bool { return surface == SurfaceWindow }
