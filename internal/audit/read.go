package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Filter says which records to read.
type Filter struct {
	// Last is how many of the newest that match; 0 is all.
	Last uint32
	// Task keeps only the records of one task, when set.
	Task string
	// Kinds keeps only records of these kinds, when set. With Last, the log is
	// read from its end, so that the newest of a rare kind costs no full read
	// unless there is none.
	Kinds []Kind
}

// matcher tells which lines of the log pass. The comparison of bytes is exact:
// no field of a record can hold a quote.
func (f *Filter) matcher() func([]byte) bool {
	task := []byte(`,"task":"` + f.Task + `"`)
	var kinds [][]byte
	for _, k := range f.Kinds {
		kinds = append(kinds, []byte(`,"kind":"`+string(k)+`"`))
	}
	return func(line []byte) bool {
		if auditlog.IsCheckpointLine(line) || f.Task != "" && !bytes.Contains(line, task) {
			return false
		}
		return len(kinds) == 0 || slices.ContainsFunc(kinds, func(k []byte) bool { return bytes.Contains(line, k) })
	}
}

// Record is a record with its detail opened.
type Record struct {
	auditlog.Record
	// Detail is nil where the record has none or its key is gone.
	Detail map[string]string
	// Erased tells that there was a detail which cannot be opened any more.
	Erased bool
}

// JSON is the record as one JSON object: the fields of the format without
// sealed, then "detail" or "detail_erased". All characters that do not print are
// escaped, so that a path cannot act on a terminal that shows it. At most
// 60,000 bytes.
func (r *Record) JSON() ([]byte, error) {
	clear := r.Record
	clear.Sealed = ""
	b, err := clear.Append(nil)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "audit.json", err)
	}
	switch {
	case r.Erased:
		b = append(b[:len(b)-1], `,"detail_erased":true}`...)
	case r.Detail != nil:
		d, err := encodeDetail(r.Detail)
		if err != nil {
			return nil, err
		}
		b = append(b[:len(b)-1], `,"detail":`...)
		b = append(append(b, d...), '}')
	}
	return b, nil
}

// marshalVisible is json.Marshal with every character escaped that does not
// print: controls, bidi and zero-width characters, unusual spaces.
func marshalVisible(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if !bytes.ContainsFunc(raw, func(r rune) bool { return r >= 0x7f }) {
		return raw, nil // json.Marshal has escaped all other controls
	}
	out := make([]byte, 0, len(raw))
	for _, r := range string(raw) {
		switch {
		case r < 0x80 && r != 0x7f, unicode.IsPrint(r):
			out = append(out, string(r)...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out, nil
}

// Read calls f for each record that matches, oldest first, with its detail
// opened, up to the newest that is durable when it is called (what Note took
// before is written first). It stops at f's first error and returns it. A
// record goes to f once the checkpoint line behind it has vouched for it. At the
// first that is not what was signed Read ends with errs.LogBroken, and so does
// the log; in a log that was found damaged before it ends so in any case.
func (l *Log) Read(ctx context.Context, flt Filter, f func(Record) error) error {
	if flt.Task != "" && !auditlog.ValidToken(flt.Task) {
		return errs.New(errs.Malformed, "audit.read")
	}
	l.flush(ctx)
	l.mu.Lock()
	end, damage := l.end, l.damage
	l.mu.Unlock()
	var known *auditlog.Bad // no record from here on is shown
	_ = errors.As(damage, &known)
	file, err := l.dir.Open(auditlog.LogFile)
	if err != nil {
		return err
	}
	defer file.Close()
	match := flt.matcher()
	from := int64(0)
	if flt.Last > 0 {
		if from, err = lastLines(ctx, file, end, int(flt.Last), match); err != nil {
			if errs.CodeOf(err) == errs.LogBroken {
				l.breakOff(err)
			}
			return err
		}
	}
	n, b := 0, batch{open: from > 0}
	whole, err := lines(io.NewSectionReader(file, from, end-from), limits.AuditLine, func(line []byte) error {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return ctxErr("audit.read", ctx.Err())
		}
		if auditlog.IsCheckpointLine(line) {
			good, bad := b.checkpoint(line)
			for _, h := range good {
				if known != nil && h.rec.Seq >= known.Seq {
					return badLog(known)
				}
				if err := l.deliver(&h.rec, f); err != nil {
					return err
				}
			}
			return l.found(bad)
		}
		if match(line) {
			rec, err := auditlog.ParseRecord(line)
			// One that is none any more fails its leaf hash as well.
			if err == nil {
				b.held = append(b.held, held{len(b.leaves), rec})
			}
		}
		return l.found(b.add(line))
	})
	if err == nil && (!whole || len(b.leaves) > 0) {
		return l.found(badRecord(b.next(), "the log ends before the checkpoint of record %d", b.next()))
	}
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.damage
	}
	return err
}

// found makes an error of damage, which ends the use of the log.
func (l *Log) found(bad *auditlog.Bad) error {
	if bad == nil {
		return nil
	}
	err := badLog(bad)
	l.breakOff(err)
	return err
}

// deliver gives a record to f with its detail opened.
func (l *Log) deliver(rec *auditlog.Record, f func(Record) error) error {
	r := Record{Record: *rec}
	if rec.Sealed != "" {
		var ok bool
		r.Detail, ok = l.sealer.open(rec)
		r.Erased = !ok
	}
	return f(r)
}

// flush waits until what is queued now is written, or cannot be.
func (l *Log) flush(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changed.Broadcast()
	})
	defer stop()
	if len(l.queue) > 0 {
		l.signal()
	}
	upto := l.size + uint64(len(l.queue)+l.busy)
	for l.size < upto && l.failed == nil && l.full == nil && !l.closed && ctx.Err() == nil {
		l.changed.Wait()
	}
}

// lastLines returns the offset of the n-th line from the end that matches, or 0.
func lastLines(ctx context.Context, f io.ReaderAt, end int64, n int, match func([]byte) bool) (int64, error) {
	buf := make([]byte, limits.AuditLine)
	var rest []byte // the beginning of a line whose head is in an earlier block
	for at := end; at > 0; {
		if err := ctx.Err(); err != nil {
			return 0, ctxErr("audit.read", err)
		}
		size := min(at, int64(len(buf)))
		at -= size
		if _, err := f.ReadAt(buf[:size], at); err != nil && err != io.EOF {
			return 0, err
		}
		block := append(append(make([]byte, 0, int(size)+len(rest)), buf[:size]...), rest...)
		// All lines but the first of the block are whole.
		for {
			cut := len(block)
			if cut > 0 && block[cut-1] == '\n' {
				cut--
			}
			i := bytes.LastIndexByte(block[:cut], '\n')
			if i < 0 {
				break
			}
			if match(block[i+1 : cut]) {
				if n--; n == 0 {
					return at + int64(i) + 1, nil
				}
			}
			block = block[:i+1]
		}
		rest = block
		if len(rest) > 2*limits.AuditLine {
			return 0, errs.New(errs.LogBroken, "audit.read").With("it holds a line that is longer than any of its own")
		}
	}
	return 0, nil
}
