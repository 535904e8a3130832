package store

import (
	"encoding/binary"
	"hash/crc32"
)

// Lead is a sentence by which a file may be summarised, with its citation.
type Lead struct {
	Text, Quote string
	Line, End   int
	// Head is the nearest heading above; may be empty.
	Head string
	// Level says where the sentence stands: 0 is the document's own
	// description, 1 its first prose, 2 the first prose below a heading.
	// Spare is one that is unfit for a summary, of a file that has no other.
	Level int
}

// Spare is the level of a sentence for when a folder has no better one.
const Spare = 3

// EncodeLeads makes what [File.Lead] holds.
func EncodeLeads(leads []Lead) []byte {
	dst := []byte{0, 0, 0, 0}
	for _, l := range leads {
		dst = binary.AppendUvarint(dst, uint64(l.Level))
		dst = binary.AppendUvarint(dst, uint64(l.Line))
		dst = binary.AppendUvarint(dst, uint64(l.End))
		dst = appendString(dst, l.Head)
		dst = appendString(dst, l.Quote)
		if l.Text == squeeze(l.Quote) {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(l.Text)))
		dst = appendDelta(dst, l.Text, l.Quote)
	}
	binary.LittleEndian.PutUint32(dst, crc32.ChecksumIEEE(dst[4:]))
	return dst
}

// DecodeLeads reads what EncodeLeads made, or returns ErrDamaged.
func DecodeLeads(data []byte) ([]Lead, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if len(data) < 4 || crc32.ChecksumIEEE(data[4:]) != binary.LittleEndian.Uint32(data) {
		return nil, ErrDamaged
	}
	r := reader{data: data[4:]}
	var out []Lead
	for len(r.data) > 0 {
		l := Lead{Level: int(r.uint()), Line: int(r.uint()), End: int(r.uint()), Head: r.string(), Quote: r.string()}
		if n := int(r.uint()); n == 0 {
			l.Text = squeeze(l.Quote)
		} else {
			l.Text = r.delta(n, l.Quote)
		}
		out = append(out, l)
	}
	if r.bad {
		return nil, ErrDamaged
	}
	return out, nil
}
