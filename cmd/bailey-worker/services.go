package main

import "github.com/bailey-run/bailey/internal/workerkit"

// serviceOf has one line for each kind of worker; nil for any other.
func serviceOf(kind string) workerkit.Open {
	switch kind {
	case "index":
		return indexService
	case "store":
		return storeService
	case "inspect":
		return inspectService
	}
	return nil
}
