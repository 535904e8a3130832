package ipc

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/errorsv1"
)

// encodeError returns the bytes of [ErrorMessage].
func encodeError(err error) []byte {
	b, merr := proto.Marshal(ErrorMessage(err))
	if merr != nil {
		panic("BUG: an error does not encode: " + merr.Error())
	}
	return b
}

// ErrorMessage returns err as it travels: code, sentence with detail, hint. Never
// the operation or the cause.
func ErrorMessage(err error) *errorsv1.Error {
	e := toError(err)
	return &errorsv1.Error{
		Code:    string(e.Code),
		Message: clip(e.Message(), limits.IPCErrorText),
		Hint:    clip(e.HintText(), limits.IPCErrorText),
	}
}

// decodeError returns the error that a peer sent. The sentence is this side's
// own, by the code; the peer adds only the detail and the hint. An unknown code
// becomes Internal, without the peer's words.
func decodeError(b []byte) (*errs.Error, error) {
	var w errorsv1.Error
	if err := proto.Unmarshal(b, &w); err != nil {
		return nil, malformed("error does not decode")
	}
	if len(w.GetCode()) > limits.IPCErrorCode || len(w.GetMessage()) > limits.IPCErrorText || len(w.GetHint()) > limits.IPCErrorText {
		return nil, malformed("error is too long")
	}
	code := errs.Code(w.GetCode())
	if !errs.Known(code) {
		return errs.New(errs.Internal, "ipc.remote"), nil
	}
	e := errs.New(code, "ipc.remote")
	e.Detail, _ = strings.CutPrefix(w.GetMessage(), e.Message()+": ")
	if e.Detail == w.GetMessage() {
		e.Detail = ""
	}
	e.Hint = w.GetHint()
	return e, nil
}

// toError gives any error a code; those of contexts get their own.
func toError(err error) *errs.Error {
	var e *errs.Error
	switch {
	case errors.As(err, &e):
		if !errs.Known(e.Code) {
			return errs.Wrap(errs.Internal, e.Op, e)
		}
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return errs.Wrap(errs.Deadline, "ipc", err)
	case errors.Is(err, context.Canceled):
		return errs.Wrap(errs.Cancelled, "ipc", err)
	}
	return errs.Wrap(errs.Internal, "ipc", err)
}

// contextError is why ctx, which has ended, did so. A cause with a code (a
// revoked grant, a lost peer) is kept, so that the person hears of it.
func contextError(ctx context.Context) *errs.Error { return toError(context.Cause(ctx)) }

// clip cuts s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
