package audit

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"golang.org/x/mod/sumdb/note"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// halves is the checkpoint file.
type halves struct {
	best     *auditlog.Slot
	tree     *auditlog.Tree
	bestHalf int64
	damaged  int
	missing  bool
}

func (h *halves) why() string {
	if h.missing {
		return "the checkpoint file is missing, so that it cannot be told whether the log was cut"
	}
	return "the checkpoint file is damaged or of another log, so that it cannot be told whether the log was cut"
}

// readHalves reads the checkpoint file. A writer may be at work: a half that
// does not parse is read again until it does or stays the same.
func readHalves(dir *safefile.Dir, key note.Verifier) (*halves, error) {
	var h *halves
	var before []byte
	for range limits.AuditSlotReads {
		b, err := dir.Read(auditlog.CheckpointFile, 2*limits.AuditSlot)
		switch errs.CodeOf(err) {
		case errs.NotFound:
			return &halves{missing: true}, nil
		case errs.TooLarge:
			return &halves{damaged: 2}, nil
		}
		if err != nil {
			return nil, err
		}
		if h != nil && bytes.Equal(b, before) {
			return h, nil
		}
		if h = parseHalves(b, key); h.damaged == 0 {
			return h, nil
		}
		before = b
	}
	return h, nil
}

func parseHalves(b []byte, key note.Verifier) *halves {
	h := &halves{}
	if len(b) != 2*limits.AuditSlot {
		h.damaged = 2
		return h
	}
	for i := range int64(2) {
		s, t, err := auditlog.ParseSlot(b[i*limits.AuditSlot:(i+1)*limits.AuditSlot], key)
		if err != nil {
			h.damaged++
			continue
		}
		if h.tree == nil || t.Size() > h.tree.Size() {
			h.best, h.tree, h.bestHalf = s, t, i
		}
	}
	return h
}

// lines calls f for each line of r that ends in a line feed. The slice is
// f's until it returns. whole is false when bytes without a line feed, or a
// line over max bytes, stand at the end.
func lines(r io.Reader, max int, f func([]byte) error) (whole bool, err error) {
	br := bufio.NewReaderSize(r, max+1)
	for {
		line, err := br.ReadSlice('\n')
		switch {
		case err == nil:
			if err := f(line[:len(line)-1]); err != nil {
				return true, err
			}
		case errors.Is(err, io.EOF):
			return len(line) == 0, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return false, nil
		default:
			return false, err
		}
	}
}

// follow feeds the log's bytes from at to size to c. It returns where the log
// stops being what was signed, which may be an unfinished batch only.
func follow(f io.ReaderAt, at, size int64, c *auditlog.Checker, see func(auditlog.Record, bool)) (*auditlog.Bad, error) {
	var bad *auditlog.Bad
	whole, err := lines(io.NewSectionReader(f, at, size-at), limits.AuditLine, func(line []byte) error {
		rec, cp, err := c.Line(line)
		if err == nil && see != nil {
			see(rec, cp)
		}
		return err
	})
	if errors.As(err, &bad) {
		return bad, nil
	}
	if err != nil {
		return nil, err
	}
	if !whole {
		n := c.Seq()
		return &auditlog.Bad{Seq: n, Last: n, End: true, Reason: "the log ends in the middle of a line"}, nil
	}
	return nil, nil
}

// laterCheckpoint tells whether, from at on, a checkpoint stands that the key
// signed and that is larger than c's last: then what c stumbled over is no
// unfinished batch but damage to what was acknowledged.
func laterCheckpoint(f io.ReaderAt, at, size int64, key note.Verifier, c *auditlog.Checker) (bool, error) {
	last, _ := c.Last()
	found := false
	for at < size && !found {
		n := int64(0)
		whole, err := lines(io.NewSectionReader(f, at, size-at), limits.AuditLine, func(line []byte) error {
			n += int64(len(line)) + 1
			if found || !auditlog.IsCheckpointLine(line) {
				return nil
			}
			msg, cp, _, err := auditlog.ParseCheckpointLine(line)
			if err != nil || cp.Size <= last.Size {
				return nil
			}
			_, err = auditlog.OpenCheckpoint(msg, key)
			found = err == nil
			return nil
		})
		if err != nil {
			return false, err
		}
		at += n
		if whole {
			break
		}
		// A line too long to be one of ours (zeros, say): look behind it.
		if at, err = nextLine(f, at, size); err != nil {
			return false, err
		}
	}
	return found, nil
}

// nextLine returns the offset behind the next line feed, or size.
func nextLine(f io.ReaderAt, at, size int64) (int64, error) {
	br := bufio.NewReaderSize(io.NewSectionReader(f, at, size-at), limits.AuditLine)
	for {
		b, err := br.ReadSlice('\n')
		at += int64(len(b))
		switch {
		case err == nil:
			return at, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return size, nil
		default:
			return 0, err
		}
	}
}
