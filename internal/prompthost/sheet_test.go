package prompthost

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// field is one field of a sheet in a test.
type field struct {
	tag  byte
	text string
}

func wire(fields []field) []byte {
	var out []byte
	for _, f := range fields {
		out = append(out, f.tag)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(f.text)))
		out = append(out, f.text...)
	}
	return out
}

func fieldsOf(b []byte) ([]field, bool) {
	var out []field
	for len(b) >= 5 {
		n := binary.LittleEndian.Uint32(b[1:])
		if uint64(n) > uint64(len(b)-5) {
			return out, false
		}
		out = append(out, field{b[0], string(b[5 : 5+n])})
		b = b[5+n:]
		if n == 0 {
			return out, len(b) == 0
		}
	}
	return out, false
}

// reference says what a sheet is, in other words than the program: by its fields,
// not byte by byte.
func reference(b []byte, picker bool) bool {
	fields, whole := fieldsOf(b)
	if !whole || len(b) > limits.PromptSheet || fields[len(fields)-1].tag != tagEnd {
		return false
	}
	fields = fields[:len(fields)-1]
	one := map[byte]string{}
	var parts []string
	rows := 0
	for _, f := range fields {
		if f.tag == tagEnd || f.tag > tagWarning || !drawable(f.text) {
			return false
		}
		switch f.tag {
		case tagGroup, tagRow, tagObject, tagDetail, tagDenies, tagStop, tagWordsOf, tagWords:
			if f.tag == tagRow {
				if !slices.Contains([]string{"x", " ", "xt", " t"}, f.text) {
					return false
				}
				rows++
			}
			parts = append(parts, map[byte]string{tagGroup: "g", tagRow: "r", tagObject: "o", tagDetail: "d", tagDenies: "p", tagStop: "p", tagWordsOf: "l", tagWords: "w"}[f.tag])
		default:
			if _, twice := one[f.tag]; twice {
				return false
			}
			one[f.tag] = f.text
		}
	}
	has := func(tags ...byte) bool {
		return !slices.ContainsFunc(tags, func(t byte) bool { _, ok := one[t]; return !ok })
	}
	among := func(t byte, words ...string) bool {
		v, ok := one[t]
		return !ok || slices.Contains(words, v)
	}
	within := func(t byte, low, high int) bool {
		n, err := strconv.ParseUint(one[t], 10, 31)
		return err == nil && int(n) >= low && int(n) <= high
	}
	if !has(tagTitle, tagNo, tagScale, tagLanguage) || !within(tagScale, limits.PromptScaleMin, limits.PromptScaleMax) ||
		!among(tagScheme, "dark", "light") || !among(tagContrast, "high") || !among(tagMotion, "reduced") || !among(tagEnter, "never") {
		return false
	}
	if picker {
		return len(parts) == 0 && has(tagYes)
	}
	most := int(limits.PromptTimeMax.Milliseconds())
	if !has(tagHeading, tagPatience, tagHash) || !within(tagPatience, 1, most) || len(one[tagHash]) != hashLength || strings.Trim(one[tagHash], "0123456789abcdef") != "" ||
		len(parts) > limits.PromptParts {
		return false
	}
	if !has(tagYes) {
		allowed := []byte{tagTitle, tagHeading, tagNo, tagPatience, tagHash, tagScheme, tagScale, tagLanguage, tagContrast, tagMotion}
		for tag := range one {
			if !slices.Contains(allowed, tag) {
				return false
			}
		}
		return len(parts) > 0 && strings.Trim(strings.Join(parts, ""), "p") == ""
	}
	// A row with its object and details, a group before rows, words behind their
	// label, and paragraphs.
	order := strings.Join(parts, "")
	order = strings.ReplaceAll(order, "lw", "p")
	for strings.Contains(order, "od") {
		order = strings.ReplaceAll(order, "od", "o")
	}
	order = strings.ReplaceAll(strings.ReplaceAll(order, "ro", "p"), "gp", "gP")
	// Behind a group there has to be a row, which is known before it became a p.
	joined := strings.Join(parts, "")
	for i := range joined {
		if joined[i] == 'g' && (i+1 == len(joined) || joined[i+1] != 'r') {
			return false
		}
	}
	return strings.Trim(order, "gpP") == "" && rows > 0 && rows <= limits.PromptRows && has(tagInert, tagUnread, tagWait) && within(tagInert, 1, most)
}

// feed gives sheets to the program's parser, built with the sanitizers, and
// returns what it says of each.
func feed(t *testing.T, sheets [][]byte, picker bool) []string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("needs a C compiler: apt-get install gcc")
	}
	program := filepath.Join(t.TempDir(), "feed")
	const sources = "../../cmd/bailey-prompt"
	out, err := exec.Command(gcc, "-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
		"-I", sources, "-o", program, "testdata/feed.c", filepath.Join(sources, "sheet.c")).CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	var in bytes.Buffer
	for _, s := range sheets {
		_ = binary.Write(&in, binary.LittleEndian, uint32(len(s)))
		in.WriteByte(map[bool]byte{true: 'p', false: 'a'}[picker])
		in.Write(s)
	}
	cmd := exec.Command(program)
	cmd.Stdin = &in
	cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0")
	var words bytes.Buffer
	cmd.Stderr = &words
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("the parser: %v\n%s", err, words.String())
	}
	lines := strings.Split(strings.TrimSuffix(string(said), "\n"), "\n")
	if len(lines) != len(sheets) {
		t.Fatalf("%d answers to %d sheets", len(lines), len(sheets))
	}
	return lines
}

// TestSheets: what is written here is read there, and whatever is broken is
// refused there as the reference refuses it, without touching a byte beyond.
func TestSheets(t *testing.T) {
	for _, picker := range []bool{false, true} {
		var good [][]byte
		for _, s := range append(examples(), notice()) {
			if picker && s.Yes == "" {
				continue
			}
			b, err := s.Encode()
			if picker {
				b, err = s.encodePicker()
			}
			if err != nil {
				t.Fatal(err)
			}
			good = append(good, b)
		}
		const each = 1500
		r := rand.New(rand.NewPCG(6, 18))
		sheets := slices.Clone(good)
		for _, b := range good {
			for range each {
				sheets = append(sheets, broken(r, b))
			}
			for n := range min(len(b), each) {
				sheets = append(sheets, b[:n])
			}
		}
		said := feed(t, sheets, picker)
		accepted := 0
		for i, line := range said {
			want := reference(sheets[i], picker)
			if i < len(good) && !want {
				t.Errorf("the reference refuses sheet %d", i)
			}
			if got := strings.HasPrefix(line, "ok "); got != want {
				t.Errorf("%q of a sheet that the reference takes for good = %v:\n%q", line, want, sheets[i])
			}
			if want {
				accepted++
			}
		}
		t.Logf("picker %v: %d sheets, %d of them good", picker, len(sheets), accepted)
		if accepted < len(good) || accepted > len(sheets)/2 {
			t.Errorf("%d of %d sheets are good", accepted, len(sheets))
		}
	}
}

// broken changes a good sheet in one or two places.
func broken(r *rand.Rand, b []byte) []byte {
	fields, _ := fieldsOf(b)
	fields = slices.Clone(fields)
	odd := []string{"", "\x00", "a\x00b", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\nb", "\x1b[2J", "\u202e", "\u2029", "\u0085",
		"x", " t", "never", "high", "dark", "0", "1", "3600001", "99999999999999999999", "-1", "1e3", strings.Repeat("a", 300), "é", "😀", "\u200d"}
	for range 1 + r.IntN(2) {
		i, j := r.IntN(len(fields)), r.IntN(len(fields))
		switch r.IntN(7) {
		case 0:
			fields[i].text = odd[r.IntN(len(odd))]
		case 1:
			fields[i].tag = byte(r.IntN(27))
		case 2:
			fields[i], fields[j] = fields[j], fields[i]
		case 3:
			fields = slices.Insert(fields, i, fields[j])
		case 4:
			if len(fields) > 1 {
				fields = slices.Delete(fields, i, i+1)
			}
		case 5:
			out := wire(fields)
			out[r.IntN(len(out))] ^= 1 << r.IntN(8)
			return out
		case 6:
			out := wire(fields)
			at := r.IntN(len(out))
			return slices.Insert(out, at, byte(r.IntN(256)))
		}
	}
	return wire(fields)
}

// notice is a sheet that asks nothing.
func notice() Sheet {
	return Sheet{Title: "Bailey", Heading: "It has stopped", Denies: []string{"What was being done was stopped."}, Stop: []string{"Open it again."},
		No: "Close", Timeout: time.Minute, Hash: strings.Repeat("0f", 32)}
}

// TestNotice: what asks is no notice, a notice asks nothing, and no answer to it is
// a yes.
func TestNotice(t *testing.T) {
	for what, change := range map[string]func(*Sheet){
		"rows":      func(s *Sheet) { s.Groups = examples()[0].Groups },
		"a heading": func(s *Sheet) { s.Groups = []Group{{Heading: "g"}} },
		"words":     func(s *Sheet) { s.Words = []Words{{"l", "t"}} },
		"a wait":    func(s *Sheet) { s.Inert = time.Second },
		"a reason":  func(s *Sheet) { s.Wait = "w" },
		"a rest":    func(s *Sheet) { s.Unread = "u" },
		"a warning": func(s *Sheet) { s.Warning = "w" },
		"Enter":     func(s *Sheet) { s.NeverEnter = true },
		"a yes":     func(s *Sheet) { s.Yes = "Yes" },
		"nothing":   func(s *Sheet) { s.Denies, s.Stop = nil, nil },
		"no button": func(s *Sheet) { s.No = "" },
		"no hash":   func(s *Sheet) { s.Hash = "" },
	} {
		s := notice()
		change(&s)
		if _, err := s.Encode(); err == nil {
			t.Errorf("a notice with %s is written", what)
		}
	}
	fields, _ := fieldsOf(must(t, notice()))
	for _, f := range []field{{tagRow, "x"}, {tagGroup, "g"}, {tagWordsOf, "l"}, {tagInert, "1"}, {tagUnread, "u"}, {tagWait, "w"}, {tagWarning, "w"}, {tagEnter, "never"}, {tagYes, "y"}} {
		if said := feed(t, [][]byte{wire(slices.Insert(slices.Clone(fields), 0, f))}, false)[0]; strings.HasPrefix(said, "ok ") {
			t.Errorf("a notice with tag %d is shown", f.tag)
		}
	}
	for _, rows := range []string{"", "0", "-1"} {
		if r, err := ParseResult([]byte("yes "+notice().Hash+" "+rows+"\n"), notice()); err == nil || r.Yes {
			t.Errorf("a yes to %q of a notice: %+v", rows, r)
		}
	}
	if r, err := ParseResult([]byte("no "+notice().Hash+" closed\n"), notice()); err != nil || r.Yes || r.Word != Closed {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestTooMuch: more rows, more parts and more bytes than a prompt shows are
// refused on both sides.
func TestTooMuch(t *testing.T) {
	base, _ := fieldsOf(must(t, examples()[0]))
	grow := func(f []field, n int) []byte {
		out := slices.Clone(base)
		for range n {
			out = slices.Insert(out, len(out)-1, f...)
		}
		return wire(out)
	}
	row := []field{{tagRow, "x"}, {tagObject, "/o"}}
	sheets := [][]byte{
		grow(row, limits.PromptRows-1), grow(row, limits.PromptRows),
		grow([]field{{tagStop, "p"}}, limits.PromptParts-7), grow([]field{{tagStop, "p"}}, limits.PromptParts),
		grow([]field{{tagStop, strings.Repeat("p", 1000)}}, 200), grow([]field{{tagStop, strings.Repeat("p", 1000)}}, 261),
		append(bytes.Repeat([]byte{tagStop, 0xff, 0xff, 0xff, 0xff}, 10), 0, 0, 0, 0, 0),
	}
	for i, line := range feed(t, sheets, false) {
		if want := reference(sheets[i], false); strings.HasPrefix(line, "ok ") != want || want != (i%2 == 0 && i < 6) {
			t.Errorf("%d: %q, the reference says %v", i, line, want)
		}
	}
	s := examples()[0]
	for range limits.PromptRows {
		s.Groups[0].Rows = append(s.Groups[0].Rows, Row{Object: "/o"})
	}
	if _, err := s.Encode(); err == nil {
		t.Error("too many rows are written")
	}
}

func must(t *testing.T, s Sheet) []byte {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzReference: what the encoder writes the reference takes, whatever is in it.
func FuzzReference(f *testing.F) {
	f.Add("a", "b", "/c", "d")
	f.Add("a\u202e", "\x00", "", "\xff")
	f.Fuzz(func(t *testing.T, title, heading, object, detail string) {
		s := examples()[0]
		s.Title, s.Heading = title, heading
		s.Groups[0].Rows[0].Object, s.Groups[0].Rows[0].Details = object, []string{detail}
		b, err := s.Encode()
		want := true
		for _, text := range []string{title, heading, object, detail} {
			want = want && text != "" && utf8.ValidString(text) && drawable(text)
		}
		if (err == nil) != want || err == nil && !reference(b, false) {
			t.Fatal(fmt.Sprint(err, want))
		}
	})
}
