package rpc

import (
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
)

// Encode validates m and returns its bytes. It fails with errs.Malformed when m
// breaks a rule of the schema, and with errs.TooLarge when its encoding is over
// limit bytes.
func Encode(m Message, limit int) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, errs.Wrap(errs.Malformed, "wire.encode", err)
	}
	if len(b) > limit {
		return nil, errs.New(errs.TooLarge, "wire.encode").With(name(m))
	}
	return b, nil
}

// Decode fills the empty message m and validates it. It fails with
// errs.TooLarge over limit bytes, and with errs.Malformed for bytes whose shape
// is not that of the message (see [rule.Shape]), both before anything is
// decoded; then with errs.Malformed for text that is not UTF-8 and for a message
// that breaks a rule. A field that the schema does not know is refused: both
// sides are of one release, so it is a fault or an attempt.
func Decode(b []byte, m Message, limit int) error {
	if len(b) > limit {
		return errs.New(errs.TooLarge, "wire.decode").With(name(m))
	}
	if err := m.Shape().Check(name(m), b); err != nil {
		return err
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return errs.Wrap(errs.Malformed, "wire.decode", err).With(name(m))
	}
	return m.Validate()
}

func name(m Message) string { return string(m.ProtoReflect().Descriptor().Name()) }
