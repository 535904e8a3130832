//go:build !bailey_lavapipe

package graphics

// standin is what passes for a card where there is none: nothing, in a release.
func standin() (string, bool) { return "", false }
