package store

import (
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// Chunk is one passage: some sentences under one heading.
type Chunk struct {
	// Head is the document's title and the headings above, " › " between.
	Head string
	// Line is the line, from 1, where Source begins.
	Line int
	// Page is where all of it stands, from 1; 0 where the file has no pages.
	Page int
	// Role says what kind of passage it is.
	Role Role
	// Source is the file's own text, from the first sentence to the last, with
	// the marks of emphasis beside them.
	Source    string
	Sentences []Sentence
}

// Role is a kind of passage.
type Role uint8

// The roles.
const (
	Prose   Role = iota
	Code         // code and tables; its sentences are lines
	Licence      // licence texts and headers
)

// rolePlaced stands beside the role of a passage whose page or paragraphs are
// known.
const rolePlaced = 1 << 6

// Sentence is a sentence of a chunk: Text is clean, Source[Start:End] verbatim.
type Sentence struct {
	Text       string
	Start, End int
	// Begins is set for the first sentence of a paragraph or list item.
	Begins bool
	// Item is set for every sentence of a list item.
	Item bool
	// Paragraph is the number of its paragraph on the page; 0 where they are not
	// counted. It does not fall from one sentence to the next.
	Paragraph int
}

// Quote returns the source of the sentences from first to last, and the lines
// it stands on.
func (c *Chunk) Quote(first, last int) (quote string, line, end int) {
	a, b := doc.Marked(c.Source, c.Sentences[first].Start, c.Sentences[last].End)
	line = c.Line + strings.Count(c.Source[:a], "\n")
	quote = c.Source[a:b]
	// A line end that closes the quote belongs to the line it ends.
	return quote, line, line + strings.Count(strings.TrimSuffix(quote, "\n"), "\n")
}

// encode appends the chunk: a CRC-32 of the rest, then lengths as varints. A
// sentence is kept as its difference from its source, and not at all where that
// is white space alone.
func (c *Chunk) encode(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	role := uint64(c.Role)
	n := len(c.Sentences)
	placed := c.Page > 0 || n > 0 && c.Sentences[n-1].Paragraph > 0
	if placed {
		role |= rolePlaced
	}
	dst = binary.AppendUvarint(dst, role)
	if placed {
		dst = binary.AppendUvarint(dst, uint64(c.Page))
	}
	dst = binary.AppendUvarint(dst, uint64(c.Line))
	dst = appendString(dst, c.Head)
	dst = appendString(dst, c.Source)
	dst = binary.AppendUvarint(dst, uint64(n))
	prev, paragraph := 0, 0
	for _, s := range c.Sentences {
		if placed {
			dst = binary.AppendUvarint(dst, uint64(s.Paragraph-paragraph))
			paragraph = s.Paragraph
		}
		dst = binary.AppendVarint(dst, int64(s.Start-prev))
		size := uint64(s.End-s.Start) << 2
		if s.Begins {
			size |= 1
		}
		if s.Item {
			size |= 2
		}
		dst = binary.AppendUvarint(dst, size)
		if source := c.Source[s.Start:s.End]; s.Text == squeeze(source) {
			dst = append(dst, 0)
		} else {
			dst = binary.AppendUvarint(dst, uint64(len(s.Text)))
			dst = appendDelta(dst, s.Text, source)
		}
		prev = s.End
	}
	binary.LittleEndian.PutUint32(dst[at:], crc32.ChecksumIEEE(dst[at+4:]))
	return dst
}

// decode reads what encode wrote, or returns ErrDamaged.
func decode(data []byte) (*Chunk, error) {
	if len(data) < 4 || crc32.ChecksumIEEE(data[4:]) != binary.LittleEndian.Uint32(data) {
		return nil, ErrDamaged
	}
	r := reader{data: data[4:]}
	c := &Chunk{}
	role := r.uint()
	placed := role&rolePlaced != 0
	c.Role = Role(role &^ rolePlaced)
	if placed {
		c.Page = int(r.uint())
	}
	c.Line = int(r.uint())
	c.Head = r.string()
	c.Source = r.string()
	n := int(r.uint())
	if n > len(r.data) {
		return nil, ErrDamaged
	}
	prev, paragraph := 0, 0
	for range n {
		if placed {
			paragraph += int(r.uint())
		}
		s := Sentence{Start: prev + int(r.int()), Paragraph: paragraph}
		size := r.uint()
		s.End, s.Begins, s.Item = s.Start+int(size>>2), size&1 != 0, size&2 != 0
		if r.bad || s.Start < 0 || s.End < s.Start || s.End > len(c.Source) {
			return nil, ErrDamaged
		}
		if n := int(r.uint()); n == 0 {
			s.Text = squeeze(c.Source[s.Start:s.End])
		} else {
			s.Text = r.delta(n, c.Source[s.Start:s.End])
		}
		prev = s.End
		c.Sentences = append(c.Sentences, s)
	}
	if r.bad || len(r.data) != 0 || c.Line < 1 {
		return nil, ErrDamaged
	}
	return c, nil
}

// squeeze makes each run of white space one space and trims the ends.
func squeeze(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '\n' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c >= 0x80 ||
			c == ' ' && (i == 0 || i+1 == len(s) || s[i+1] == ' ') {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

type reader struct {
	data []byte
	bad  bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || v > 1<<31 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 || v > 1<<31 || v < -1<<31 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) string() string {
	n := r.uint()
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return ""
	}
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}
