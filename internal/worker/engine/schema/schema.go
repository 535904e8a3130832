// Package schema turns a JSON Schema into a grammar that an engine keeps to. It
// refuses what it does not do, by name. Package serve uses it.
package schema

import "github.com/bailey-run/bailey/internal/errs"

// Grammar returns the grammar of a schema. Errors: errs.SchemaRefused.
func Grammar([]byte) (string, error) {
	return "", errs.New(errs.SchemaRefused, "schema.grammar").With("no schema is supported yet")
}
