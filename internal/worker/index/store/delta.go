package store

import (
	"encoding/binary"
	"strings"
)

// A clean text is mostly its source with markup left out, so it is kept as what
// to leave out: steps of (bytes of source to skip, bytes to copy, bytes to insert,
// those bytes), lengths as varints. In manual pages that is a fifth of the text.

const (
	deltaSeek  = 4   // so many bytes of text are looked for ahead
	deltaAhead = 256 // in so many bytes of source
)

// appendDelta appends the steps that make text from source.
func appendDelta(dst []byte, text, source string) []byte {
	i, j := 0, 0
	for i < len(text) {
		// Skip to where the text goes on.
		skip := 0
		if j >= len(source) || source[j] != text[i] {
			if n := min(deltaSeek, len(text)-i); j < len(source) {
				if at := strings.Index(source[j:min(len(source), j+deltaAhead)], text[i:i+n]); at > 0 {
					skip = at
				}
			}
		}
		j += skip
		from := i
		for i < len(text) && j < len(source) && text[i] == source[j] {
			i, j = i+1, j+1
		}
		copied := i - from
		// Insert until the source has the text again.
		from = i
		for i < len(text) {
			n := min(deltaSeek, len(text)-i)
			if j < len(source) && strings.Contains(source[j:min(len(source), j+deltaAhead)], text[i:i+n]) {
				break
			}
			i++
		}
		dst = binary.AppendUvarint(dst, uint64(skip))
		dst = binary.AppendUvarint(dst, uint64(copied))
		dst = appendString(dst, text[from:i])
	}
	return dst
}

// delta reads n bytes of text made from source.
func (r *reader) delta(n int, source string) string {
	var b strings.Builder
	for at := 0; b.Len() < n && !r.bad; {
		skip, copied := int(r.uint()), int(r.uint())
		insert := r.string()
		if skip > len(source)-at || copied > len(source)-at-skip || skip+copied+len(insert) == 0 || b.Len()+copied+len(insert) > n {
			r.bad, r.data = true, nil
			break
		}
		at += skip
		b.WriteString(source[at : at+copied])
		at += copied
		b.WriteString(insert)
	}
	return b.String()
}
