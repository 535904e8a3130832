package audit

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

const asidePrefix = "aside-"

// SetAside moves the log of an audit directory into a sub-directory of its own,
// aside-1, aside-2 and so on, where it can still be verified, shown and exported.
// The next Open begins a new log, with a new key, whose record 0 is a
// history-break that names the old one's size and root. It is a person's answer
// to errs.LogBroken. errs.CoreBusy while a core runs. A log that is whole is moved
// only if meant has no error for its report; nobody appends meanwhile.
func SetAside(ctx context.Context, dir string, meant func(Report) error) error {
	if err := ctx.Err(); err != nil {
		return ctxErr("audit.setaside", err)
	}
	d, err := safefile.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	lock, err := d.Lock(lockFile)
	if err != nil {
		return err
	}
	defer lock.Close()
	rep, err := verifyAll(ctx, d, nil)
	if cerr := ctx.Err(); cerr != nil {
		return ctxErr("audit.setaside", cerr)
	}
	// What cannot be read is as little whole as what was changed.
	if err == nil && rep.OK && rep.Size > 0 {
		if err := meant(rep); err != nil {
			return err
		}
	}
	return setAside(d)
}

// newestAside is the largest number of an aside directory, 0 without one.
func newestAside(names map[string]bool) int {
	newest := 0
	for n := range names {
		if s, is := strings.CutPrefix(n, asidePrefix); is {
			if i, err := strconv.Atoi(s); err == nil && i > newest && strconv.Itoa(i) == s {
				newest = i
			}
		}
	}
	return newest
}

// setAside is SetAside under the lock. A crash in between leaves a log without
// its file, which Open refuses, or the mark of a failed write, on which Open
// goes on; either way what was moved stays found.
func setAside(d *safefile.Dir) error {
	names, err := present(d)
	if err != nil {
		return err
	}
	n := newestAside(names) + 1
	if n > limits.AuditAsides {
		return errs.New(errs.TooLarge, "audit.setaside").With("too many logs were set aside").WithHint("move some of them away")
	}
	to, err := d.Sub(fmt.Sprintf("%s%d", asidePrefix, n))
	if err != nil {
		return err
	}
	defer to.Close()
	for _, name := range []string{auditlog.LogFile, auditlog.CheckpointFile, auditlog.KeyFile, retiredFile, suspectFile} {
		if !names[name] {
			continue
		}
		if err := d.Move(name, to, name); err != nil {
			return err
		}
	}
	return nil
}

// breakRecord is record 0 of a log that follows one that was set aside.
func breakRecord(d *safefile.Dir) (rec auditlog.Record, is bool, err error) {
	names, err := present(d)
	if err != nil {
		return rec, false, err
	}
	n := newestAside(names)
	if n == 0 {
		return rec, false, nil
	}
	old, err := d.OpenSub(fmt.Sprintf("%s%d", asidePrefix, n))
	if err != nil {
		return rec, false, err
	}
	defer old.Close()
	there, err := present(old)
	if err != nil {
		return rec, false, err
	}
	rec = auditlog.Record{Kind: auditlog.HistoryBreak, Code: codeSetAside}
	if there[retiredFile] {
		rec.Code = codeWriteFailed
	}
	// The old log may be damaged in any way; what cannot be told is left out.
	key, err := readKey(old)
	if err != nil {
		return rec, true, nil
	}
	rec.Corr = key.Name()
	if h, err := readHalves(old, key); err == nil && h.best != nil {
		rec.Size, rec.Root = h.tree.Size(), h.tree.Root().String()
	}
	return rec, true, nil
}
