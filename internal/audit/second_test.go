package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/auditlog"
)

// A second verifier, written from the format's text with the standard
// library alone: nothing of package auditlog, x/mod or this package is used
// between here and the test below. It is slow and plain: RFC 6962's recursive
// definitions, every signature checked.

type secondTree [][]byte

func (l secondTree) root() []byte {
	switch n := len(l); n {
	case 0:
		h := sha256.Sum256(nil)
		return h[:]
	case 1:
		return l[0]
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		h := sha256.Sum256(append(append([]byte{1}, l[:k].root()...), l[k:].root()...))
		return h[:]
	}
}

// path is RFC 6962's PATH(m, D[n]).
func (l secondTree) path(m int) [][]byte {
	if len(l) <= 1 {
		return nil
	}
	k := 1
	for k*2 < len(l) {
		k *= 2
	}
	if m < k {
		return append(l[:k].path(m), l[k:].root())
	}
	return append(l[k:].path(m-k), l[:k].root())
}

type secondKey struct {
	name string
	hash []byte
	pub  ed25519.PublicKey
}

func secondParseKey(s string) (k secondKey, err error) {
	parts := strings.SplitN(s, "+", 3)
	if len(parts) != 3 || !regexp.MustCompile(`^bailey/audit/[0-9a-f]{16}$`).MatchString(parts[0]) {
		return k, fmt.Errorf("key form")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 1 {
		return k, fmt.Errorf("key bytes")
	}
	h := sha256.Sum256([]byte(parts[0] + "\n" + string(raw)))
	if hex.EncodeToString(h[:4]) != parts[1] {
		return k, fmt.Errorf("key hash")
	}
	return secondKey{parts[0], h[:4], raw[1:]}, nil
}

var secondNote = regexp.MustCompile(`^([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n\n— ([^ \n]+) ([A-Za-z0-9+/=]+)\n$`)

func (k secondKey) checkpoint(note string) (size uint64, root []byte, err error) {
	m := secondNote.FindStringSubmatch(note)
	if m == nil || m[1] != k.name || m[4] != k.name {
		return 0, nil, fmt.Errorf("note form")
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(m[5])
	if err != nil || len(sig) != 68 || !bytes.Equal(sig[:4], k.hash) {
		return 0, nil, fmt.Errorf("signature form")
	}
	if !ed25519.Verify(k.pub, []byte(note[:strings.Index(note, "\n\n")+1]), sig[4:]) {
		return 0, nil, fmt.Errorf("signature")
	}
	root, err = base64.StdEncoding.Strict().DecodeString(m[3])
	if err != nil {
		return 0, nil, err
	}
	size, err = strconv.ParseUint(m[2], 10, 63)
	return size, root, err
}

// The one encoding of a record, as a regular expression.
var secondRecord = func() *regexp.Regexp {
	const tok, num = `"[A-Za-z0-9._:/+=@-]{1,128}"`, `[1-9][0-9]{0,18}`
	s := `^\{"seq":(0|` + num + `),"time":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z","kind":` + tok
	for _, f := range strings.Fields("app surface task verb method decision by grant code #request_bytes #response_bytes #messages #ms corr #size root tag") {
		if n, is := strings.CutPrefix(f, "#"); is {
			s += `(,"` + n + `":` + num + `)?`
		} else {
			s += `(,"` + f + `":` + tok + `)?`
		}
	}
	return regexp.MustCompile(s + `(,"sealed":"[A-Za-z0-9._:/+=@-]+")?\}$`)
}()

// sum checks a line that ends in its sum.
func secondSum(line []byte) bool {
	i := bytes.LastIndex(line, []byte(`,"sum":"`))
	if i < 0 {
		return false
	}
	h := sha256.Sum256(line[:i])
	return string(line[i:]) == `,"sum":"`+hex.EncodeToString(h[:8])+`"}`
}

func secondVerify(log, halves, key []byte) error {
	k, err := secondParseKey(strings.TrimSuffix(string(key), "\n"))
	if err != nil || !bytes.HasSuffix(key, []byte("\n")) {
		return fmt.Errorf("key: %v", err)
	}
	if len(halves) != 8192 {
		return fmt.Errorf("checkpoint file size")
	}
	type point struct {
		size   uint64
		root   []byte
		offset int
	}
	var newest point
	for _, half := range [][]byte{halves[:4096], halves[4096:]} {
		var s struct {
			Checkpoint string
			Offset     int
			Frontier   []string
		}
		line := bytes.TrimRight(half[:4095], " ")
		if half[4095] != '\n' || !secondSum(line) || json.Unmarshal(line, &s) != nil {
			return fmt.Errorf("checkpoint file form")
		}
		size, root, err := k.checkpoint(s.Checkpoint)
		if err != nil {
			return err
		}
		if size >= newest.size {
			newest = point{size, root, s.Offset}
		}
	}
	var tree secondTree
	var signed point
	offset, batch := 0, 0
	for len(log) > 0 {
		i := bytes.IndexByte(log, '\n')
		if i < 0 {
			break // unfinished
		}
		line := log[:i]
		log = log[i+1:]
		offset += i + 1
		if !bytes.HasPrefix(line, []byte(`{"checkpoint":`)) {
			m := secondRecord.FindSubmatch(line)
			if m == nil || string(m[1]) != strconv.Itoa(len(tree)) {
				return fmt.Errorf("record %d", len(tree))
			}
			h := sha256.Sum256(append([]byte{0}, line...))
			tree = append(tree, h[:])
			batch++
			continue
		}
		var c struct {
			Checkpoint string
			Leaves     [][]byte
		}
		if !secondSum(line) || json.Unmarshal(line, &c) != nil {
			return fmt.Errorf("checkpoint line")
		}
		size, root, err := k.checkpoint(c.Checkpoint)
		if err != nil {
			return err
		}
		if size != uint64(len(tree)) || !bytes.Equal(root, tree.root()) || batch == 0 || len(c.Leaves) != batch {
			return fmt.Errorf("checkpoint of %d records", size)
		}
		for j, h := range c.Leaves {
			if !bytes.Equal(h, tree[len(tree)-batch+j]) {
				return fmt.Errorf("leaf")
			}
		}
		signed, batch = point{size, root, offset}, 0
		if size == newest.size && (newest.offset != offset || !bytes.Equal(newest.root, root)) {
			return fmt.Errorf("checkpoint file disagrees")
		}
	}
	if signed.size < newest.size {
		return fmt.Errorf("cut")
	}
	return nil
}

func secondVerifyExport(b []byte) error {
	lines := bytes.Split(b, []byte("\n"))
	if len(lines[len(lines)-1]) != 0 {
		return fmt.Errorf("no line feed at the end")
	}
	lines = lines[:len(lines)-1]
	head := regexp.MustCompile(`^\{"bailey_audit_export":1,"key":"([^"]+)","checkpoint":"([^"]+)"\}$`).FindSubmatch(lines[0])
	if head == nil {
		return fmt.Errorf("head")
	}
	k, err := secondParseKey(string(head[1]))
	if err != nil {
		return err
	}
	size, root, err := k.checkpoint(strings.ReplaceAll(string(head[2]), `\n`, "\n"))
	if err != nil {
		return err
	}
	var tree secondTree
	for _, l := range lines[1:] {
		m := regexp.MustCompile(`^\{"record":(\{[^}]*\}),"proof":\[.*\]\}$`).FindSubmatch(l)
		if m == nil || !secondRecord.Match(m[1]) {
			return fmt.Errorf("line of record %d", len(tree))
		}
		h := sha256.Sum256(append([]byte{0}, m[1]...))
		tree = append(tree, h[:])
	}
	if uint64(len(tree)) != size || !bytes.Equal(tree.root(), root) {
		return fmt.Errorf("root")
	}
	for i, l := range lines[1:] {
		var want []string
		for _, h := range tree.path(i) {
			want = append(want, `"`+base64.StdEncoding.EncodeToString(h)+`"`)
		}
		if !bytes.HasSuffix(l, []byte(`,"proof":[`+strings.Join(want, ",")+`]}`)) {
			return fmt.Errorf("proof of record %d", i)
		}
	}
	return nil
}

// The two verifiers agree about a good log and about each changed byte.
func TestSecondVerifierAgrees(t *testing.T) {
	e := closedLog(t, 2)
	ctx := context.Background()
	names := []string{auditlog.LogFile, auditlog.CheckpointFile, auditlog.KeyFile}
	var files [3][]byte
	for i, n := range names {
		files[i] = e.file(n)
	}
	if err := secondVerify(files[0], files[1], files[2]); err != nil {
		t.Fatalf("the second verifier refuses a good log: %v", err)
	}
	agree := func(what string, at int, f [3][]byte) {
		t.Helper()
		second := secondVerify(f[0], f[1], f[2])
		if rep := e.verify(); rep.OK != (second == nil) {
			t.Errorf("%s, byte %d: we say %v (%s), the second verifier %v", what, at, rep.OK, rep.Reason, second)
		}
	}
	for i, name := range names {
		for at := range files[i] {
			if at%3 != 0 || files[i][at] == ' ' && at%256 != 0 {
				continue // the rest is TestEveryFlippedByteIsNamed's
			}
			f := files
			f[i] = bytes.Clone(files[i])
			f[i][at] ^= 1 << (at % 7)
			e.write(name, f[i])
			agree(name, at, f)
		}
		e.write(name, files[i])
	}
	for n := 0; n < len(files[0]); n += 11 {
		f := files
		f[0] = files[0][:n]
		e.write(names[0], f[0])
		agree("cut", n, f)
	}
	e.write(names[0], files[0])

	var out bytes.Buffer
	if err := Export(ctx, e.dir(), &out); err != nil {
		t.Fatal(err)
	}
	if err := secondVerifyExport(out.Bytes()); err != nil {
		t.Fatalf("the second verifier refuses a good export: %v", err)
	}
	for at := range out.Bytes() {
		b := bytes.Clone(out.Bytes())
		b[at] ^= 1 << (at % 7)
		rep, err := VerifyExport(ctx, bytes.NewReader(b))
		if second := secondVerifyExport(b); (err == nil && rep.OK) != (second == nil) || second == nil {
			t.Errorf("export, byte %d: we say %v %v, the second verifier %v", at, rep.OK, err, second)
		}
	}
	// Every cut of an export at a line, and one record swapped for another.
	lines := bytes.SplitAfter(out.Bytes(), []byte("\n"))
	for n := 1; n < len(lines)-1; n++ {
		rep, err := VerifyExport(ctx, bytes.NewReader(bytes.Join(lines[:n], nil)))
		if err != nil || rep.OK || *rep.FirstBad != uint64(n-1) {
			t.Errorf("export of %d lines: %+v, %v", n, rep, err)
		}
	}
	lines[2], lines[3] = lines[3], lines[2]
	if rep, err := VerifyExport(ctx, bytes.NewReader(bytes.Join(lines, nil))); err != nil || rep.OK || *rep.FirstBad != 1 {
		t.Errorf("swapped: %+v, %v", rep, err)
	}
}

// A tree that spans several proof blocks, by both verifiers.
func TestExportOfManyRecords(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	for i := range 2500 {
		if err := l.Note(Event{Kind: auditlog.Call, Messages: uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Export(context.Background(), e.dir(), &out); err != nil {
		t.Fatal(err)
	}
	rep, err := VerifyExport(context.Background(), bytes.NewReader(out.Bytes()))
	if err != nil || !rep.OK || rep.Size != 2502 {
		t.Fatalf("%+v, %v", rep, err)
	}
	last, err := os.ReadFile(filepath.Join(e.dir(), auditlog.KeyFile))
	if err != nil || rep.Key+"\n" != string(last) {
		t.Fatalf("%q, %v", rep.Key, err)
	}
	n := 0
	l = e.open()
	want := uint64(2503 - 1700)
	err = l.Read(context.Background(), Filter{Last: 1700}, func(r Record) error {
		if r.Seq != want {
			return fmt.Errorf("record %d, want %d", r.Seq, want)
		}
		want++
		n++
		return nil
	})
	if err != nil || n != 1700 {
		t.Fatal(n, err)
	}
}

func FuzzVerifyExport(f *testing.F) {
	e := closedLog(f, 2)
	var out bytes.Buffer
	if err := Export(context.Background(), e.dir(), &out); err != nil {
		f.Fatal(err)
	}
	good := out.Bytes()
	key := bytes.TrimSpace(e.file(auditlog.KeyFile))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("{\"bailey_audit_export\":1}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := VerifyExport(context.Background(), bytes.NewReader(b))
		if err == nil && rep.OK && rep.Key == string(key) && !bytes.Equal(b, good) {
			t.Fatalf("accepted %q", b)
		}
	})
}

// Whatever stands in the three files: no panic, and never more records vouched
// for than were signed.
func FuzzVerify(f *testing.F) {
	e := closedLog(f, 1)
	log, halves, key := e.file(auditlog.LogFile), e.file(auditlog.CheckpointFile), e.file(auditlog.KeyFile)
	full := e.mustVerify()
	f.Add(uint16(0), []byte{}, uint16(0))
	f.Add(uint16(100), []byte("x"), uint16(3))
	f.Add(uint16(len(log)), bytes.Repeat([]byte{0}, 70000), uint16(0))
	f.Add(uint16(len(log)), binary.LittleEndian.AppendUint64(nil, 1), uint16(0))
	f.Fuzz(func(t *testing.T, at uint16, put []byte, drop uint16) {
		e := &env{t: t, home: e.home}
		i := min(int(at), len(log))
		j := min(i+int(drop), len(log))
		b := append(append(bytes.Clone(log[:i]), put...), log[j:]...)
		e.write(auditlog.LogFile, b)
		e.write(auditlog.CheckpointFile, halves)
		e.write(auditlog.KeyFile, key)
		rep := e.verify()
		if rep.OK && !bytes.HasPrefix(b, log) {
			t.Fatalf("verifies: %d %q %d", at, put, drop)
		}
		if rep.Size > full.Size {
			t.Fatalf("%+v", rep)
		}
	})
}
