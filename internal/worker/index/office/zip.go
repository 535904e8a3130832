package office

import (
	"compress/flate"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// archive is a zip file (APPNOTE.TXT 6.3) as far as office files use it: stored
// and deflated, on one disk, not encrypted. It is read by its central directory,
// to which every local header is held. archive/zip is not used: it takes as many
// entries as the directory has whatever its end says, finds no overlaps, and
// leaves names that occur twice to its caller.
type archive struct {
	raw     string
	entries map[string]entry
	left    int64 // bytes that may still be unpacked
	tokens  int   // and tokens read
	beat    func() error
}

type entry struct {
	name         string
	offset       int64 // of its local header
	packed, size int64
	sum          uint32
	method       uint16
}

// Sizes and signatures of the zip format.
const (
	endSize      = 22
	directorySig = 0x02014b50
	directoryLen = 46
	localSig     = 0x04034b50
	localLen     = 30
	endSig       = 0x06054b50
	stored       = 0
	deflated     = 8
	flagSecret   = 0x2041         // bits 0, 6 and 13: encrypted in one of three ways
	none32       = math.MaxUint32 // the value stands in a zip64 field
	extraZip64   = 1
)

func u16(s string) uint16 { return binary.LittleEndian.Uint16([]byte(s[:2])) }
func u32(s string) uint32 { return binary.LittleEndian.Uint32([]byte(s[:4])) }

// openArchive reads the directory of raw.
func openArchive(raw string) (*archive, error) {
	a := &archive{raw: raw, entries: map[string]entry{}, left: limits.OfficeUnpacked, tokens: limits.OfficeTokens}
	end := findEnd(raw)
	if end < 0 {
		return nil, damaged
	}
	e := raw[end:]
	count, size, start := int(u16(e[10:])), int64(u32(e[12:])), int64(u32(e[16:]))
	// More entries or bytes than these fields hold are more than is read.
	if u16(e[4:]) != 0 || u16(e[6:]) != 0 || int(u16(e[8:])) != count || start+size > int64(end) {
		return nil, damaged
	}
	if count > limits.OfficeEntries {
		return nil, tooLarge
	}
	directory := raw[start : start+size]
	var all []entry
	secret := false
	for range count {
		f, rest, hidden, err := readEntry(directory)
		if err != nil {
			return nil, err
		}
		directory = rest
		secret = secret || hidden
		all = append(all, f)
	}
	if len(directory) > 0 {
		return nil, damaged
	}
	if err := apart(all, start); err != nil {
		return nil, err
	}
	if secret {
		return nil, encrypted
	}
	for _, f := range all {
		if !plainName(f.name) {
			continue // never asked for
		}
		if _, twice := a.entries[f.name]; twice {
			return nil, damaged // two programs would read two different texts
		}
		a.entries[f.name] = f
	}
	return a, nil
}

// findEnd returns where the end record stands: the last one whose comment ends
// with the file.
func findEnd(raw string) int {
	for at := len(raw) - endSize; at >= 0 && at >= len(raw)-endSize-0xffff; at-- {
		if raw[at] == 'P' && u32(raw[at:]) == endSig && int(u16(raw[at+20:])) == len(raw)-at-endSize {
			return at
		}
	}
	return -1
}

// readEntry reads one record of the directory; hidden says that it is encrypted.
func readEntry(d string) (f entry, rest string, hidden bool, err error) {
	if len(d) < directoryLen || u32(d) != directorySig {
		return f, "", false, damaged
	}
	flags := u16(d[8:])
	f.method, f.sum = u16(d[10:]), u32(d[16:])
	f.packed, f.size, f.offset = int64(u32(d[20:])), int64(u32(d[24:])), int64(u32(d[42:]))
	n, x, c := int(u16(d[28:])), int(u16(d[30:])), int(u16(d[32:]))
	if len(d) < directoryLen+n+x+c {
		return f, "", false, damaged
	}
	if n > limits.OfficeName {
		return f, "", false, tooLarge
	}
	f.name = d[directoryLen : directoryLen+n]
	if err := zip64(&f, d[directoryLen+n:directoryLen+n+x]); err != nil {
		return f, "", false, err
	}
	return f, d[directoryLen+n+x+c:], flags&flagSecret != 0, nil
}

// zip64 takes the values that do not stand in the record from its extra field,
// where some writers put small ones too.
func zip64(f *entry, extra string) error {
	if f.size != none32 && f.packed != none32 && f.offset != none32 {
		return nil
	}
	for len(extra) >= 4 {
		kind, n := u16(extra), int(u16(extra[2:]))
		if len(extra) < 4+n {
			break
		}
		field := extra[4 : 4+n]
		extra = extra[4+n:]
		if kind != extraZip64 {
			continue
		}
		for _, v := range []*int64{&f.size, &f.packed, &f.offset} {
			if *v != none32 {
				continue
			}
			if len(field) < 8 {
				return damaged
			}
			u := binary.LittleEndian.Uint64([]byte(field[:8]))
			if u > none32 {
				return damaged // larger than any file that is read
			}
			*v, field = int64(u), field[8:]
		}
		return nil
	}
	return damaged
}

// apart holds that all entries lie one behind the other before the directory: in
// the bombs that unpack without end, they share their data.
func apart(all []entry, directory int64) error {
	order := slices.Clone(all)
	slices.SortFunc(order, func(a, b entry) int { return int(a.offset - b.offset) })
	behind := int64(0)
	for _, f := range order {
		if f.offset < behind {
			return damaged
		}
		if behind = f.offset + localLen + int64(len(f.name)) + f.packed; behind > directory {
			return damaged
		}
	}
	return nil
}

// plainName reports a name that means one file and nothing else.
func plainName(name string) bool {
	if name == "" || !utf8.ValidString(name) || strings.ContainsAny(name, "\\\x00:") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false // a directory's name ends in a slash
		}
	}
	return true
}

func (a *archive) has(name string) bool {
	_, ok := a.entries[name]
	return ok
}

// part reads the XML of one entry. What f leaves is unpacked too, so that its
// checksum is compared.
func (a *archive) part(name string, f func(*tokens) error) error {
	r, err := a.open(name)
	if err != nil {
		return err
	}
	t := newTokens(a, r)
	if err := f(t); err != nil {
		return err
	}
	for {
		switch _, err := t.next(); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// bytes returns all of one entry, at most most bytes of it.
func (a *archive) bytes(name string, most int64) (string, error) {
	if a.entries[name].size > most {
		return "", tooLarge
	}
	r, err := a.open(name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	_, err = io.Copy(&b, r)
	return b.String(), err
}

// open returns the unpacked bytes of one entry, which end in io.EOF only if
// there were as many as the directory says, and with its checksum.
func (a *archive) open(name string) (io.Reader, error) {
	f, ok := a.entries[name]
	if !ok {
		return nil, damaged
	}
	if f.size > a.left || f.size > limits.OfficeUnpackFree && f.size > f.packed*limits.OfficeRatio {
		return nil, tooLarge
	}
	h := a.raw[f.offset:]
	if len(h) < localLen || u32(h) != localSig || u16(h[6:])&flagSecret != 0 || u16(h[8:]) != f.method {
		return nil, damaged
	}
	n, x := int(u16(h[26:])), int(u16(h[28:]))
	if len(h) < localLen+n+x || h[localLen:localLen+n] != f.name {
		return nil, damaged
	}
	data := h[localLen+n+x:]
	if int64(len(data)) < f.packed {
		return nil, damaged
	}
	var r io.Reader = strings.NewReader(data[:f.packed])
	switch f.method {
	case stored:
		if f.packed != f.size {
			return nil, damaged
		}
	case deflated:
		r = flate.NewReader(r)
	default:
		return nil, damaged
	}
	return &unpacked{a: a, r: r, left: f.size, want: f.sum, sum: crc32.NewIEEE()}, nil
}

type unpacked struct {
	a    *archive
	r    io.Reader
	left int64
	want uint32
	sum  hash.Hash32
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.left -= int64(n)
	u.a.left -= int64(n)
	if u.left < 0 || u.a.left < 0 {
		return 0, damaged // more than the directory says
	}
	u.sum.Write(p[:n])
	if err == io.EOF && (u.left != 0 || u.sum.Sum32() != u.want) {
		err = damaged
	}
	return n, err
}
