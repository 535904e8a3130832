// Package memory says how much memory can be taken without swapping. Only the
// core asks, before it loads a model.
package memory
