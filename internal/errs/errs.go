// Package errs holds the errors that Bailey shows to people and sends between
// its processes.
//
// An [Error] has a stable code, an operation, and a cause that is for logs
// only. What a person reads, sentence and hint, comes from the table in
// codes.go, so that a code means the same everywhere; docs/errors.md is
// generated from it. The text of a cause never crosses a process boundary.
package errs

import (
	"errors"
	"fmt"
)

// Error is a failure that has a code.
type Error struct {
	Code Code
	// Op is what was being done, for logs: "grant.propose".
	Op string
	// Detail is a short phrase, safe for the person who asked, put behind the
	// code's sentence: often the object's name. Never content or a secret.
	Detail string
	// Hint overrides the code's own hint when set.
	Hint  string
	Cause error
}

// New returns an Error with a code and an operation.
func New(code Code, op string) *Error { return &Error{Code: code, Op: op} }

// Wrap returns an Error around cause.
func Wrap(code Code, op string, cause error) *Error {
	return &Error{Code: code, Op: op, Cause: cause}
}

// With returns a copy that carries detail.
func (e *Error) With(detail string) *Error { c := *e; c.Detail = detail; return &c }

// WithHint returns a copy whose hint replaces that of the code.
func (e *Error) WithHint(hint string) *Error { c := *e; c.Hint = hint; return &c }

// Error is for logs; people are shown [Error.Message] and [Error.HintText].
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an Error of the same code, so that
// errors.Is(err, errs.New(errs.Revoked, "")) works across processes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Message is one sentence for a person.
func (e *Error) Message() string {
	s := entry(e.Code).Sentence
	if e.Detail != "" {
		s = fmt.Sprintf("%s: %s", s, e.Detail)
	}
	return s
}

// HintText is what the person can do; may be empty.
func (e *Error) HintText() string {
	if e.Hint != "" {
		return e.Hint
	}
	return entry(e.Code).Hint
}

// Exit is the command line's exit code for the error.
func (e *Error) Exit() int { return entry(e.Code).Exit }

// CodeOf returns the code of the first Error in err's chain, or Internal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// From returns the first Error in err's chain, or an Internal one around err.
// It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, "", err)
}
