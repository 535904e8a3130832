package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/rivo/uniseg"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// Begin implements storev1.StoreServiceServer.
func (s *Store) Begin(ctx context.Context, in *storev1.BeginRequest) (*storev1.BeginResponse, error) {
	const op = "store.begin"
	out := &storev1.BeginResponse{}
	err := s.with(ctx, func(d *database) error {
		var n int
		if err := d.row("SELECT count(*) FROM conversations").Scan(&n); err != nil {
			return fail(op, err)
		}
		if n >= limits.StoreConversations {
			return errs.New(errs.TooLarge, op).With(fmt.Sprintf("%d conversations are kept", n)).WithHint("erase some: bailey data erase chat ID")
		}
		random := make([]byte, limits.StoreID)
		if _, err := rand.Read(random); err != nil {
			return errs.Wrap(errs.Internal, op, err)
		}
		out.Id = hex.EncodeToString(random)
		now := s.cfg.Clock.Wall().UnixMilli()
		return d.change(func() error {
			_, err := d.exec("INSERT INTO conversations(name,model,title,began,used,turns,bytes) VALUES(?,?,'',?,?,0,0)", out.GetId(), in.GetModel(), now, now)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Append implements storev1.StoreServiceServer.
func (s *Store) Append(ctx context.Context, in *storev1.AppendRequest) (*storev1.AppendResponse, error) {
	err := s.with(ctx, func(d *database) error {
		if !in.GetTurn().GetUnfinished() {
			return d.change(func() error { return d.put(in.GetId(), in.GetTurn()) })
		}
		// It comes again in a moment: the end of the process cannot harm it, and
		// a lost second of an answer is not worth an fsync each.
		if _, err := d.exec("PRAGMA synchronous=NORMAL"); err != nil {
			return fail("store.append", err)
		}
		err := d.change(func() error { return d.put(in.GetId(), in.GetTurn()) })
		if _, back := d.exec("PRAGMA synchronous=FULL"); err == nil && back != nil {
			err = fail("store.append", back)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &storev1.AppendResponse{}, nil
}

// put writes one turn, in a transaction.
func (d *database) put(name string, t *storev1.Turn) error {
	const op = "store.append"
	id, err := d.find(name)
	if err != nil {
		return err
	}
	var turns, bytes int64
	if err := d.row("SELECT coalesce(max(number),0), (SELECT bytes FROM conversations WHERE id=?1) FROM turns WHERE conversation=?1", id).Scan(&turns, &bytes); err != nil {
		return err
	}
	number := int64(t.GetNumber())
	switch {
	case number > limits.StoreTurns:
		return errs.New(errs.TooLarge, op).With(fmt.Sprintf("a conversation has at most %d turns", limits.StoreTurns)).WithHint("begin another one")
	case number > turns+1:
		return errs.New(errs.StoreConflict, op).With("turns before this one are gone")
	case number <= turns:
		old, row, err := d.turn(id, number)
		if err != nil {
			return err
		}
		if proto.Equal(old, t) {
			// It was written, and its answer was lost. What is written here makes sure
			// that it is on the disk too.
			return d.account(id)
		}
		if number < turns || !old.GetUnfinished() || old.GetSpeaker() != t.GetSpeaker() {
			return errs.New(errs.StoreConflict, op)
		}
		if err := d.drop(row, old.GetText()); err != nil {
			return err
		}
		bytes -= int64(len(old.GetText()))
	}
	if bytes += int64(len(t.GetText())); bytes > limits.StoreConversation {
		return errs.New(errs.TooLarge, op).With("the conversation is too long to be kept").WithHint("begin another one")
	}
	r, err := d.exec("INSERT INTO turns(conversation,number,speaker,text,unfinished,model,at,tokens,sum) VALUES(?,?,?,?,?,?,?,?,?)",
		id, number, int64(t.GetSpeaker()), t.GetText(), t.GetUnfinished(), t.GetModel(), t.GetAtMs(), int64(t.GetTokens()), checksum(t))
	if err != nil {
		return err
	}
	row, err := r.LastInsertId()
	if err != nil {
		return err
	}
	if _, err := d.exec("INSERT INTO words(rowid,text) VALUES(?,?)", row, t.GetText()); err != nil {
		return err
	}
	return d.account(id)
}

// find returns the row of a conversation.
func (d *database) find(name string) (int64, error) {
	var id int64
	err := d.row("SELECT id FROM conversations WHERE name=?", name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errs.Wrap(errs.NotFound, "store.find", err).With("no conversation has that id").WithHint("`bailey chat --list` shows them")
	}
	return id, fail("store.find", err)
}

const turnColumns = "id,number,speaker,text,unfinished,model,at,tokens,sum"

// turn reads one turn and its row; sql.ErrNoRows when there is none.
func (d *database) turn(conversation, number int64) (*storev1.Turn, int64, error) {
	return scanTurn(d.row("SELECT "+turnColumns+" FROM turns WHERE conversation=? AND number=?", conversation, number))
}

func scanTurn(row interface{ Scan(...any) error }) (*storev1.Turn, int64, error) {
	t := &storev1.Turn{}
	var id, number, speaker, tokens, sum int64
	if err := row.Scan(&id, &number, &speaker, &t.Text, &t.Unfinished, &t.Model, &t.AtMs, &tokens, &sum); err != nil {
		return nil, 0, err
	}
	t.Number, t.Speaker, t.Tokens = uint32(number), storev1.Speaker(speaker), uint32(tokens)
	if checksum(t) != sum || t.Validate() != nil {
		return nil, 0, fmt.Errorf("%w: turn %d", errDamaged, id)
	}
	return t, id, nil
}

// checksum is a CRC-32 of all that a turn says.
func checksum(t *storev1.Turn) int64 {
	head := make([]byte, 0, 32)
	for _, n := range []uint64{uint64(t.GetNumber()), uint64(t.GetSpeaker()), uint64(t.GetAtMs()), uint64(t.GetTokens()), uint64(len(t.GetModel()))} {
		head = binary.AppendUvarint(head, n)
	}
	if t.GetUnfinished() {
		head = append(head, 1)
	}
	sum := crc32.ChecksumIEEE(head)
	sum = crc32.Update(sum, crc32.IEEETable, []byte(t.GetModel()))
	return int64(crc32.Update(sum, crc32.IEEETable, []byte(t.GetText())))
}

// drop removes a turn and its words.
func (d *database) drop(row int64, text string) error {
	if _, err := d.exec("INSERT INTO words(words,rowid,text) VALUES('delete',?,?)", row, text); err != nil {
		return err
	}
	_, err := d.exec("DELETE FROM turns WHERE id=?", row)
	return err
}

// account brings a conversation's row up to date with its turns. It becomes the one
// that was used last, also where the clock was set back.
func (d *database) account(id int64) error {
	var first string
	err := d.row("SELECT text FROM turns WHERE conversation=? AND speaker=? ORDER BY number LIMIT 1", id, int64(storev1.Speaker_SPEAKER_USER)).Scan(&first)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	// What the model is told first is no turn to people; where nothing else is left it
	// counts, because a conversation without turns is none.
	_, err = d.exec(`UPDATE conversations SET title=?2, used=max(?3,(SELECT coalesce(max(used)+1,0) FROM conversations WHERE id<>?1)),
		turns=(SELECT max(count(*)-coalesce(sum(speaker=?4),0),min(count(*),1)) FROM turns WHERE conversation=?1),
		bytes=(SELECT coalesce(sum(length(CAST(text AS BLOB))),0) FROM turns WHERE conversation=?1) WHERE id=?1`,
		id, title(first), d.cfg.Clock.Wall().UnixMilli(), int64(storev1.Speaker_SPEAKER_SYSTEM))
	return err
}

// title is the beginning of a text, on one line.
func title(text string) string {
	// More than enough for a title, and less than a whole turn.
	if end := limits.StoreTitle * 16; len(text) > end {
		text = strings.ToValidUTF8(text[:end], "")
	}
	return clip(strings.Join(strings.Fields(text), " "), limits.StoreTitle)
}

// clip cuts s to at most n characters, at a blank if there is one near the end.
// A character is one code point or, where many make one, at most four.
func clip(s string, n int) string {
	count, cut, blank, state := 0, 0, 0, -1
	for rest := s; rest != ""; {
		cluster, tail, _, next := uniseg.FirstGraphemeClusterInString(rest, state)
		if size := len([]rune(cluster)); size > 4 {
			count += size
		} else {
			count++
		}
		if count > n {
			if blank > cut/2 {
				cut = blank
			}
			return s[:cut] + "…"
		}
		if cluster == " " {
			blank = cut
		}
		cut += len(cluster)
		rest, state = tail, next
	}
	return s
}

// Cut implements storev1.StoreServiceServer.
func (s *Store) Cut(ctx context.Context, in *storev1.CutRequest) (*storev1.CutResponse, error) {
	out := &storev1.CutResponse{}
	err := s.with(ctx, func(d *database) error {
		return d.change(func() error {
			id, err := d.find(in.GetId())
			if err != nil {
				return err
			}
			n, err := d.dropFrom(id, int64(in.GetFrom()))
			if err != nil {
				return err
			}
			out.Removed = uint32(n)
			return d.account(id)
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// dropFrom removes the turns from a number on, one in memory at a time.
func (d *database) dropFrom(conversation, from int64) (n int, err error) {
	for ; ; n++ {
		var row int64
		var text string
		err := d.row("SELECT id,text FROM turns WHERE conversation=? AND number>=? ORDER BY number LIMIT 1", conversation, from).Scan(&row, &text)
		if errors.Is(err, sql.ErrNoRows) {
			return n, nil
		}
		if err == nil {
			err = d.drop(row, text)
		}
		if err != nil {
			return n, err
		}
	}
}

// Read implements storev1.StoreServiceServer.
func (s *Store) Read(ctx context.Context, in *storev1.ReadRequest, out *storev1.StoreServiceReadSender) error {
	return s.read(ctx, in, out.Send)
}

func (s *Store) read(ctx context.Context, in *storev1.ReadRequest, send func(*storev1.ReadResponse) error) error {
	const op = "store.read"
	name := in.GetId()
	var id int64
	err := s.with(ctx, func(d *database) (err error) {
		if name != "" {
			id, err = d.find(name)
			return err
		}
		err = d.row("SELECT id,name FROM conversations WHERE turns>0 ORDER BY used DESC, id DESC LIMIT 1").Scan(&id, &name)
		if errors.Is(err, sql.ErrNoRows) {
			return errs.Wrap(errs.NotFound, op, err).With("there is no conversation yet").WithHint("begin one: bailey chat")
		}
		return fail(op, err)
	})
	// A turn at a time, so that a slow reader holds nobody up.
	for number := int64(0); err == nil; {
		var t *storev1.Turn
		err = s.with(ctx, func(d *database) (err error) {
			t, _, err = scanTurn(d.row("SELECT "+turnColumns+" FROM turns WHERE conversation=? AND number>? ORDER BY number LIMIT 1", id, number))
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return fail(op, err)
		})
		if err != nil || t == nil {
			break
		}
		number = int64(t.GetNumber())
		err = send(&storev1.ReadResponse{Id: name, Turn: t})
	}
	return err
}

const conversationColumns = "c.name,c.title,c.model,c.began,c.used,c.turns,c.bytes"

func conversation(scan func(...any) error, more ...any) (*storev1.Conversation, error) {
	c := &storev1.Conversation{}
	var turns, bytes int64
	if err := scan(append([]any{&c.Id, &c.Title, &c.Model, &c.BeganMs, &c.UsedMs, &turns, &bytes}, more...)...); err != nil {
		return nil, err
	}
	c.Turns, c.Bytes = uint32(turns), uint64(bytes)
	return c, nil
}

// List implements storev1.StoreServiceServer.
func (s *Store) List(ctx context.Context, in *storev1.ListRequest, out *storev1.StoreServiceListSender) error {
	return s.list(ctx, in, out.Send)
}

func (s *Store) list(ctx context.Context, in *storev1.ListRequest, send func(*storev1.ListResponse) error) error {
	const op = "store.list"
	most := int64(in.GetMost())
	if most == 0 {
		most = limits.StoreConversations
	}
	// The rows first: one that is used while the list is sent does not move out
	// of it.
	var ids []int64
	err := s.with(ctx, func(d *database) error {
		rows, err := d.conn.QueryContext(ctx, "SELECT id FROM conversations WHERE turns>0 ORDER BY used DESC, id DESC LIMIT ?", most)
		if err != nil {
			return fail(op, err)
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return fail(op, err)
			}
			ids = append(ids, id)
		}
		return fail(op, rows.Err())
	})
	for _, id := range ids {
		if err != nil {
			break
		}
		var c *storev1.Conversation
		err = s.with(ctx, func(d *database) (err error) {
			c, err = conversation(d.row("SELECT "+conversationColumns+" FROM conversations c WHERE id=? AND turns>0", id).Scan)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return fail(op, err)
		})
		if err == nil && c != nil {
			err = send(&storev1.ListResponse{Conversation: c})
		}
	}
	return err
}
