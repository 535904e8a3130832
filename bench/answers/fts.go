package main

import (
	"context"
	"database/sql"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// chunkMax is the most bytes that paragraphs are merged up to.
const chunkMax = 600

// fts is SQLite's FTS5 with bm25 over chunks of chunkMax bytes.
type fts struct {
	db     *sql.DB
	chunks []*paragraph
	idf    func(string) float64
	stop   map[string]bool
}

// chunk merges a file's paragraphs up to chunkMax bytes and cuts longer ones
// between sentences.
func chunk(paras []paragraph) []*paragraph {
	var out []*paragraph
	var cur *paragraph
	flush := func() {
		if cur != nil {
			out = append(out, cur)
		}
		cur = nil
	}
	for i := range paras {
		p := &paras[i]
		for _, s := range pieces(p) {
			if cur != nil && len(cur.text)+1+s[1]-s[0] > chunkMax {
				flush()
			}
			if cur == nil {
				cur = &paragraph{file: p.file}
			} else {
				cur.text += " "
				cur.lines = append(cur.lines, cur.lines[len(cur.lines)-1])
			}
			cur.text += p.text[s[0]:s[1]]
			cur.lines = append(cur.lines, p.lines[s[0]:s[1]]...)
		}
	}
	flush()
	return out
}

// pieces is a paragraph whole where it fits into a chunk, else its sentences.
func pieces(p *paragraph) [][2]int {
	if len(p.text) <= chunkMax {
		return [][2]int{{0, len(p.text)}}
	}
	return sentences(p.text)
}

func openFTS(files []*source) (system, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	f := &fts{db: db, stop: stopWords()}
	if _, err := db.Exec(`CREATE VIRTUAL TABLE c USING fts5(text, tokenize="porter unicode61")`); err != nil {
		return nil, err
	}
	tx, err := db.Begin()
	if err != nil {
		return nil, err
	}
	for _, s := range files {
		for _, c := range chunk(s.paras) {
			if _, err := tx.Exec("INSERT INTO c(rowid,text) VALUES(?,?)", len(f.chunks)+1, c.text); err != nil {
				return nil, err
			}
			f.chunks = append(f.chunks, c)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	f.idf = idf(f.chunks, f.stop)
	return f, nil
}

func (f *fts) ask(ctx context.Context, q string) (answer, error) {
	words := contentWords(q, f.stop)
	if len(words) == 0 {
		return answer{}, nil
	}
	rows, err := f.db.QueryContext(ctx, "SELECT rowid,bm25(c) FROM c WHERE c MATCH ? ORDER BY bm25(c) LIMIT 10", `"`+strings.Join(words, `" OR "`)+`"`)
	if err != nil {
		return answer{}, err
	}
	defer rows.Close()
	var units []*paragraph
	var top float64
	for rows.Next() {
		var id int
		var score float64
		if err := rows.Scan(&id, &score); err != nil {
			return answer{}, err
		}
		if len(units) == 0 {
			top = -score
		}
		units = append(units, f.chunks[id-1])
	}
	if err := rows.Err(); err != nil {
		return answer{}, err
	}
	return f.answer(q, units, top), nil
}

func (f *fts) answer(q string, units []*paragraph, top float64) answer {
	w := weights(q, f.idf, f.stop)
	a := answer{shown: choose(units, w, f.stop), scores: map[string]float64{"bm25": top}}
	var sum float64
	for _, x := range w {
		sum += x
	}
	if len(units) > 0 && sum > 0 {
		a.scores["bm25 per weight of the question"] = top / sum
		a.scores["bm25 per word"] = top / float64(len(w))
		a.scores["coverage"] = coverage(units[0].text, w, f.stop)
	}
	for _, u := range units {
		a.units = append(a.units, asPassage(u))
	}
	return a
}

func (f *fts) close() error { return f.db.Close() }
