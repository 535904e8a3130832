package store

import (
	"context"
	"strings"
	"unicode"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// Search implements storev1.StoreServiceServer.
func (s *Store) Search(ctx context.Context, in *storev1.SearchRequest, out *storev1.StoreServiceSearchSender) error {
	return s.search(ctx, in, out.Send)
}

func (s *Store) search(ctx context.Context, in *storev1.SearchRequest, send func(*storev1.SearchResponse) error) error {
	const op = "store.search"
	query, args := statement(in.GetText())
	if query == "" {
		return nil
	}
	most := int64(in.GetMost())
	if most == 0 {
		most = limits.StoreFound
	}
	var found []*storev1.SearchResponse
	err := s.with(ctx, func(d *database) error {
		found = nil
		rows, err := d.conn.QueryContext(ctx, query, append(args, most)...)
		if err != nil {
			return fail(op, err)
		}
		defer rows.Close()
		for rows.Next() {
			r := &storev1.SearchResponse{}
			var number int64
			var excerpt string
			if r.Conversation, err = conversation(rows.Scan, &number, &excerpt); err != nil {
				return fail(op, err)
			}
			r.Number, r.Excerpt = uint32(number), clip(strings.Join(strings.Fields(excerpt), " "), limits.StoreExcerpt)
			found = append(found, r)
		}
		return fail(op, rows.Err())
	})
	for _, r := range found {
		if err != nil {
			break
		}
		err = send(r)
	}
	return err
}

// statement returns the query that finds turns which hold all words of a text,
// with its arguments but the last, the number of results; empty if the text has
// nothing to look for.
//
// Words of letters and digits are looked up in the full-text index, each as a
// phrase in quotes, in which FTS5 knows no syntax but the doubled quote. A
// script that writes no blanks between words, and a text that is signs alone,
// are looked for as they stand in the turns.
func statement(text string) (query string, args []any) {
	words := strings.Fields(strings.ReplaceAll(text, "\x00", " "))
	words = words[:min(len(words), limits.StoreSearchWords)]
	var match []string
	scan := false
	for _, w := range words {
		scan = scan || strings.IndexFunc(w, unspaced) >= 0
		if strings.IndexFunc(w, indexed) >= 0 {
			match = append(match, `"`+strings.ReplaceAll(w, `"`, `""`)+`"`)
		}
	}
	if len(match) > 0 && !scan {
		return "SELECT " + conversationColumns + `, t.number, snippet(words,0,'','','…',?1) FROM words JOIN turns t ON t.id=words.rowid
			JOIN conversations c ON c.id=t.conversation WHERE words MATCH ?2 ORDER BY words.rank, t.id DESC LIMIT ?3`,
			[]any{limits.StoreExcerptWords, strings.Join(match, " AND ")}
	}
	if len(words) == 0 {
		return "", nil
	}
	// Sixty characters before the first word, and what fits behind it.
	query = "SELECT " + conversationColumns + ", t.number, substr(t.text, max(1, instr(t.text,?)-60), ?) FROM turns t JOIN conversations c ON c.id=t.conversation WHERE true"
	args = []any{words[0], 4 * limits.StoreExcerpt}
	for _, w := range words {
		query += " AND instr(t.text,?)>0"
		args = append(args, w)
	}
	return query + " ORDER BY t.id DESC LIMIT ?", args
}

// indexed reports what unicode61 makes tokens of: letters, numbers, and private
// use (SQLite FTS5 documentation, 4.3.1).
func indexed(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.Co)
}

// unspaced are scripts that are written without blanks between words.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
