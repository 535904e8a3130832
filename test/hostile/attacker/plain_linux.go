//go:build bailey_hostile && !bailey_native

package main

func native() map[string]attack { return nil }

func honestNative(order) func() error { return func() error { return nil } }
