package main

import "strings"

func isOurs(name string) bool { return strings.HasPrefix(name, "bailey") }

func ours(options) []opener { return nil }
