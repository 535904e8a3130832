package dbus

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	godbus "github.com/godbus/dbus/v5"

	"github.com/bailey-run/bailey/internal/limits"
)

// TestRoundTrip: what is written is read, and the library that everybody uses
// reads the same.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		sig    Signature
		values []any
	}{
		{"", []any{}},
		{"ybnqiuxtd", []any{byte(1), true, int16(-2), uint16(3), int32(-4), uint32(5), int64(-6), uint64(7), 8.5}},
		{"sog", []any{"héllo", ObjectPath("/a/b_1"), Signature("a{sv}")}},
		{"ay", []any{[]byte{1, 2, 0}}},
		{"as", []any{[]any{"a", ""}}},
		{"yax", []any{byte(1), []any{}}},
		{"a{sa{sv}}", []any{[]Entry{{"ns", []Entry{{"key", Variant{"u", uint32(1)}}, {"k", Variant{"(dd)", Struct{0.5, math.Inf(1)}}}}}}}},
		{"(s(yv))", []any{Struct{"x", Struct{byte(2), Variant{"v", Variant{"s", "deep"}}}}}},
		{"aas", []any{[]any{[]any{"a"}, []any{}}}},
	} {
		body, err := Encode(c.sig, c.values...)
		if err != nil {
			t.Errorf("%s: %v", c.sig, err)
			continue
		}
		got, err := Decode(c.sig, body, false)
		if err != nil || !reflect.DeepEqual(got, c.values) {
			t.Errorf("%s: %#v, %v", c.sig, got, err)
		}
		m := &Message{Type: Signal, Serial: 9, Path: "/p", Interface: "a.b", Member: "M", Sender: ":1.2", Destination: ":1.3", Signature: c.sig, Body: body}
		b, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ReadMessage(bytes.NewReader(b))
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%s: %+v, %v", c.sig, back, err)
		}
		theirs, err := godbus.DecodeMessage(bytes.NewReader(b))
		if err != nil || theirs.Headers[godbus.FieldPath].Value() != godbus.ObjectPath("/p") || len(theirs.Body) != len(c.values) {
			t.Errorf("%s: the library reads %v, %v", c.sig, theirs, err)
		}
		// And what it writes is read here, in both byte orders. It keeps structures
		// as arrays, so those it cannot write again.
		if !strings.Contains(string(b), "(") && theirs != nil && theirs.IsValid() == nil {
			for _, o := range []bool{false, true} {
				var out bytes.Buffer
				if err := theirs.EncodeTo(&out, order(o)); err != nil {
					t.Fatal(err)
				}
				again, err := ReadMessage(&out)
				if err != nil {
					t.Errorf("%s: %v", c.sig, err)
					continue
				}
				if v, err := again.Values(); err != nil || !reflect.DeepEqual(v, c.values) {
					t.Errorf("%s, big %v: %#v, %v", c.sig, o, v, err)
				}
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		sig    Signature
		values []any
	}{
		{"s", []any{uint32(1)}}, {"s", nil}, {"", []any{"x"}}, {"s", []any{"a\x00b"}}, {"s", []any{"\xff"}}, {"o", []any{ObjectPath("no")}},
		{"g", []any{Signature("(")}}, {"v", []any{Variant{"ss", "x"}}}, {"v", []any{Variant{"", nil}}}, {"v", []any{"x"}}, {"(s)", []any{Struct{}}},
		{"(s)", []any{Struct{"a", "b"}}}, {"a{sv}", []any{[]any{}}}, {"as", []any{[]string{"a"}}}, {"ay", []any{[]any{}}}, {"h", []any{uint32(0)}}, {"(", nil},
		{"a{sv}", []any{[]Entry{{"k", "no variant"}}}}, {"a{sv}", []any{[]Entry{{1, Variant{"s", "x"}}}}}, {"au", []any{[]byte{}}},
	} {
		if b, err := Encode(c.sig, c.values...); err == nil {
			t.Errorf("%s %#v became %x", c.sig, c.values, b)
		}
	}
	if _, err := (&Message{Type: Signal, Serial: 1, Path: "/", Interface: "a.b", Member: "M", Signature: "ay", Body: make([]byte, limits.BusMessage)}).Marshal(); err == nil {
		t.Error("a message over the limit was written")
	}
}

func TestSignatures(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "s": true, "a{sv}": true, "a(yv)": true, "(s(ii))as": true, "aaaaaaaas": true,
		"a": false, "()": false, "(": false, "(s": false, "a{": false, "a{s": false, "a{sv": false, "a{vs}": false, "a{(s)s}": false, "{sv}": false, ")": false,
		"h": false, "z": false, "a{s}": false, "a{svv}": false, "s\x00": false,
		strings.Repeat("a", limits.BusDepth) + "s": true, strings.Repeat("a", limits.BusDepth+1) + "s": false,
		strings.Repeat("(", 40) + "s" + strings.Repeat(")", 40): false,
		strings.Repeat("s", limits.BusSignature):                true, strings.Repeat("s", limits.BusSignature+1): false,
	} {
		if got := Signature(s).valid(); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestNames(t *testing.T) {
	long := "a." + strings.Repeat("b", limits.BusName)
	for _, c := range []struct {
		what string
		f    func(string) bool
		yes  []string
		no   []string
	}{
		{"path", func(s string) bool { return ObjectPath(s).Valid() }, []string{"/", "/a", "/a_1/0"}, []string{"", "a", "//", "/a/", "/a-b", "/ä", "/a\x00", "/" + strings.Repeat("a", limits.BusPath)}},
		{"member", memberName, []string{"Hello", "_a1"}, []string{"", "1a", "a.b", "a b", long}},
		{"interface", interfaceName, []string{"a.b", "org.x.Y_1"}, []string{"", "a", "a.", ".a", "a.1b", "a.b-c", long}},
		{"bus name", busName, []string{":1.2", "org.a-b.c", ":x.-"}, []string{"", "a", ":1", "1.2", "a..b", ":1.2 ", long}},
	} {
		for _, s := range c.yes {
			if !c.f(s) {
				t.Errorf("%s: %q is refused", c.what, s)
			}
		}
		for _, s := range c.no {
			if c.f(s) {
				t.Errorf("%s: %q is taken", c.what, s)
			}
		}
	}
}

// good is a message that the tests below damage.
func good(t testing.TB) []byte {
	t.Helper()
	body, err := Encode("sv", "x", Variant{"u", uint32(1)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := (&Message{Type: Signal, Serial: 1, Path: "/", Interface: "a.b", Member: "M", Sender: ":1.1", Signature: "sv", Body: body}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadRefuses(t *testing.T) {
	set := func(at int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], v); return b }
	}
	for name, damage := range map[string]func([]byte) []byte{
		"no byte order":      set(0, 'x'),
		"another protocol":   set(3, 2),
		"type 0":             set(1, 0),
		"a reply to nothing": set(1, byte(MethodReturn)),
		"serial 0":           set(8, 0),
		"a body of 4 GiB":    set(4, 0xff, 0xff, 0xff, 0xff),
		"fields of 4 GiB":    set(12, 0xff, 0xff, 0xff, 0xff),
		"fields cut short":   set(12, 5),
		"no fields":          func(b []byte) []byte { return append(append(b[:4:4], 0, 0, 0, 0, 1, 0, 0, 0), 0, 0, 0, 0) },
		"field 0":            set(16, 0),
		"path not a path":    set(17, 1, 's'),
		"padding":            set(26, 7),
		"field twice":        func(b []byte) []byte { i := bytes.Index(b, []byte("\x03\x01s")); b[i] = 2; return b },
	} {
		if m, err := ReadMessage(bytes.NewReader(damage(good(t)))); !errors.Is(err, errMessage) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	for n := range len(good(t)) {
		_, err := ReadMessage(bytes.NewReader(good(t)[:n]))
		if n == 0 && err != io.EOF || n > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	for name, c := range map[string]struct {
		sig  Signature
		body string
	}{
		"bytes behind":            {"y", "\x01\x02"},
		"bytes missing":           {"u", "\x01"},
		"a boolean 2":             {"b", "\x02\x00\x00\x00"},
		"a string without end":    {"s", "\x01\x00\x00\x00ab"},
		"a zero in a string":      {"s", "\x01\x00\x00\x00\x00\x00"},
		"a string not UTF-8":      {"s", "\x01\x00\x00\x00\xff\x00"},
		"a string of 4 GiB":       {"s", "\xff\xff\xff\xff"},
		"an array too long":       {"ay", "\x05\x00\x00\x00abc"},
		"an item over the end":    {"au", "\x02\x00\x00\x00\x01\x00\x00\x00"},
		"a variant of two":        {"v", "\x02ss\x00"},
		"a variant of none":       {"v", "\x00\x00"},
		"a descriptor":            {"v", "\x01h\x00\x00\x00\x00\x00\x00"},
		"padding":                 {"yu", "\x01\x01\x00\x00\x01\x00\x00\x00"},
		"a path":                  {"o", "\x01\x00\x00\x00a\x00"},
		"a signature":             {"g", "\x01(\x00"},
		"too many values":         {"ab", "\xfc\xff\x00\x00" + strings.Repeat("\x00", 0xfffc)},
		"variants too deep":       {"v", strings.Repeat("\x01v\x00", limits.BusDepth+2) + "\x01y\x00\x01"},
		"too many in empty array": {"aay", "\x00\x00\x01\x00" + strings.Repeat("\x00", 1<<16)},
	} {
		if v, err := Decode(c.sig, []byte(c.body), false); !errors.Is(err, errMessage) {
			t.Errorf("%s: %#v, %v", name, v, err)
		}
	}
}

// FuzzMessage: no bytes break the reader; what it takes is read the same by the
// library that everybody uses, and is written again as it was.
func FuzzMessage(f *testing.F) {
	f.Add(good(f))
	big := good(f)
	big[0] = bigOrder
	f.Add(big)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		m, err := ReadMessage(r)
		if err != nil {
			return
		}
		v, err := m.Values()
		if err != nil {
			return
		}
		used := b[:len(b)-r.Len()]
		if m.Type <= Signal {
			theirs, err := godbus.DecodeMessage(bytes.NewReader(used))
			// It refuses flags and fields that the specification wants ignored.
			if _, strict := err.(godbus.InvalidMessageError); strict {
				return
			}
			if err != nil {
				t.Fatalf("the library refuses what is taken here: %v", err)
			}
			if len(theirs.Body) != len(v) {
				t.Fatalf("the library reads %d values, not %d", len(theirs.Body), len(v))
			}
		}
		again, err := Encode(m.Signature, v...)
		if err != nil || !m.Big && !bytes.Equal(again, m.Body) {
			t.Fatalf("%x was written again as %x, %v", m.Body, again, err)
		}
	})
}

func TestSockets(t *testing.T) {
	for address, want := range map[string][]string{
		"":                                       {},
		"unix:path=/run/user/1/bus":              {"/run/user/1/bus"},
		"unix:path=/run/bus,guid=00":             {"/run/bus"},
		"unix:guid=00,path=/a%20b%2c":            {"/a b,"},
		"unix:abstract=/tmp/dbus-x":              {"@/tmp/dbus-x"},
		"tcp:host=x,port=1;unix:path=/b":         {"/b"},
		"unix:path=/a;unix:path=/b":              {"/a", "/b"},
		"unixexec:path=/bin/true":                {},
		"autolaunch:":                            {},
		"nonce-tcp:host=x":                       {},
		"unix:path=relative":                     {},
		"unix:path=/a,path=/b":                   {},
		"unix:path=/a,abstract=b":                {},
		"unix:path=":                             {},
		"unix:path":                              {},
		"unix:":                                  {},
		"unix:tmpdir=/tmp":                       {},
		"unix:path=/a%0":                         {},
		"unix:path=/a%zz":                        {},
		"unix:path=/a%00b":                       {},
		"unix:path=/" + strings.Repeat("a", 107): {},
		strings.Repeat("tcp:;", limits.BusAddresses) + "unix:path=/late": {},
	} {
		if got := Sockets(address); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
	for _, path := range []string{"/run/bus", "/a b,c;d=%é"} {
		if got := Sockets(Address(path)); !reflect.DeepEqual(got, []string{path}) {
			t.Errorf("%q became %q by %q", path, got, Address(path))
		}
	}
}

func FuzzSockets(f *testing.F) {
	f.Add("unix:path=/a%20b;tcp:host=x;unix:abstract=y,guid=z")
	f.Fuzz(func(t *testing.T, s string) {
		for _, socket := range Sockets(s) {
			if socket == "" || socket[0] != '/' && socket[0] != '@' || len(socket) > limits.SocketPath || strings.Contains(socket, "\x00") {
				t.Fatalf("%q gave %q", s, socket)
			}
		}
	})
}
