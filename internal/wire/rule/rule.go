// Package rule is how a generated validator says which field of a message
// breaks which rule of the schema. Only generated code calls it. It never sees
// a field's value, so no error can quote one.
package rule

import (
	"strconv"

	"github.com/bailey-run/bailey/internal/errs"
)

// Violation is one broken rule and the way to its field.
type Violation struct{ path, rule string }

// Broken returns a Violation of a rule by a field; field is empty when the
// message itself, or an item of a list, breaks it.
func Broken(field, rule string) *Violation { return &Violation{field, rule} }

// In puts the name of the field that holds the message in front of the path.
func (v *Violation) In(field string) *Violation {
	return &Violation{join(field, v.path), v.rule}
}

// At is In for item i of a list.
func (v *Violation) At(field string, i int) *Violation {
	return v.In(field + "[" + strconv.Itoa(i) + "]")
}

// Error returns the Violation as an errs.Malformed whose detail is, for
// example, "AskRequest.question: string.max_len".
func (v *Violation) Error(message string) error {
	return errs.New(errs.Malformed, "wire.validate").With(join(message, v.path) + ": " + v.rule)
}

// Missing is the error of a message that is not there at all.
func Missing(message string) error { return Broken("", "required").Error(message) }

func join(outer, inner string) string {
	if inner == "" {
		return outer
	}
	return outer + "." + inner
}
