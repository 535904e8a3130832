package store

import (
	"encoding/binary"
	"hash/crc32"
)

// Lead is a sentence by which a file may be summarised, with its citation.
type Lead struct {
	Text, Quote string
	Line, End   int
	// Page and Paragraph are as in Chunk and Sentence.
	Page, Paragraph int
	// Head is the nearest heading above; may be empty.
	Head string
	// Level says where the sentence stands: 0 is the document's own
	// description, 1 its first prose, 2 the first prose below a heading.
	// Spare is one that is unfit for a summary, of a file that has no other.
	Level int
}

// Spare is the level of a sentence for when a folder has no better one.
const Spare = 3

// leadPlaced stands beside the level of a lead whose page or paragraph is known.
const leadPlaced = 1 << 6

// EncodeLeads makes what [File.Lead] holds.
func EncodeLeads(leads []Lead) []byte {
	dst := []byte{0, 0, 0, 0}
	for _, l := range leads {
		level := uint64(l.Level)
		if l.Page > 0 || l.Paragraph > 0 {
			level |= leadPlaced
		}
		dst = binary.AppendUvarint(dst, level)
		if level&leadPlaced != 0 {
			dst = binary.AppendUvarint(dst, uint64(l.Page))
			dst = binary.AppendUvarint(dst, uint64(l.Paragraph))
		}
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
		var l Lead
		level := r.uint()
		l.Level = int(level &^ leadPlaced)
		if level&leadPlaced != 0 {
			l.Page, l.Paragraph = int(r.uint()), int(r.uint())
		}
		l.Line, l.End, l.Head, l.Quote = int(r.uint()), int(r.uint()), r.string(), r.string()
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
