package main

import (
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// serviceOf has one line for each kind of worker; nil for any other.
func serviceOf(in sandbox.Inside) workerkit.Open {
	switch in.Spec.Kind {
	case "index":
		return indexService(in)
	case "store":
		return storeService(in)
	case "inspect":
		return inspectService
	case "pdf":
		return pdfService(in)
	}
	if in.Spec.Reserved {
		return reservedService
	}
	return nil
}
