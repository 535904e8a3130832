//go:build !bailey_lavapipe

package workerspec

// standin are settings that let Vulkan on the processor pass for a card, which
// `make gpu-test SOFTWARE=1` needs. No release has any.
func standin() []string { return nil }
