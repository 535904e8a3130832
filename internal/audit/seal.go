package audit

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/keystore"
)

const (
	appKeySize  = 32
	detailLabel = "bailey-audit-detail/1"
	tagLabel    = "bailey-audit-tag/1"
	// b64Suffix marks a detail value in base64: one that is not UTF-8 (a path may be
	// any bytes), which JSON could not hold unchanged, and a long one whose escapes would
	// be longer.
	b64Suffix = "~b64"
)

// appKeys are the two keys of one app, derived from its one key file, so that
// erasing one file erases both. AES-GCM with random nonces is good for 2^32
// records of one app (NIST SP 800-38D, 8.3), 50 days at 1,000 a second.
type appKeys struct {
	aead cipher.AEAD
	tag  []byte
}

// sealer holds the apps' keys.
type sealer struct {
	keys *keystore.Store

	mu   sync.Mutex
	apps map[string]*appKeys
}

// keyName is the name of an app's key file. Ids of apps are hashed: they may
// differ in case only, which not every file system keeps apart.
func keyName(app string) string {
	h := sha256.Sum256([]byte(app))
	return "app-" + hex.EncodeToString(h[:16])
}

// get returns the app's keys; with make, new ones where there are none. Without
// it a missing key is errs.NotFound.
func (s *sealer) get(app string, create bool) (*appKeys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.apps[app]; k != nil {
		return k, nil
	}
	var raw []byte
	var err error
	if create {
		raw, _, err = s.keys.Ensure(keyName(app), appKeySize)
	} else {
		raw, err = s.keys.Get(keyName(app))
	}
	if err != nil {
		return nil, err
	}
	k, err := deriveKeys(raw)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "audit.keys", err)
	}
	if len(s.apps) >= limits.AuditApps {
		clear(s.apps)
	}
	s.apps[app] = k
	return k, nil
}

func deriveKeys(raw []byte) (*appKeys, error) {
	dek, err := hkdf.Key(sha256.New, raw, nil, detailLabel, 32)
	if err != nil {
		return nil, err
	}
	tag, err := hkdf.Key(sha256.New, raw, nil, tagLabel, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(dek)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &appKeys{aead: aead, tag: tag}, err
}

// forget drops the app's keys from memory and disk.
func (s *sealer) forget(app string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.keys.Erase(keyName(app)); err != nil {
		return err
	}
	delete(s.apps, app)
	return nil
}

func additional(app string) []byte { return []byte(detailLabel + "\x00" + app) }

// seal fills in the record's tag and sealed detail.
func (l *Log) seal(r *auditlog.Record, ev Event) error {
	if len(ev.Detail) == 0 && ev.Tagged == "" {
		return nil
	}
	if !auditlog.ValidToken(r.App) {
		return errs.Wrap(errs.Malformed, "audit.seal", errors.New("detail without an app"))
	}
	k, err := l.sealer.get(r.App, true)
	if err != nil {
		return err
	}
	if ev.Tagged != "" {
		m := hmac.New(sha256.New, k.tag)
		m.Write([]byte(ev.Tagged))
		r.Tag = base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	if len(ev.Detail) == 0 {
		return nil
	}
	plain, err := encodeDetail(ev.Detail)
	if err != nil {
		return err
	}
	out := make([]byte, 12, 12+len(plain)+k.aead.Overhead())
	// crypto/rand.Read never fails (Go 1.24).
	_, _ = rand.Read(out)
	out = k.aead.Seal(out, out[:12], plain, additional(r.App))
	r.Sealed = base64.StdEncoding.EncodeToString(out)
	return nil
}

func encodeDetail(d map[string]string) ([]byte, error) {
	if len(d) > limits.AuditDetailKeys {
		return nil, errs.New(errs.TooLarge, "audit.detail")
	}
	safe := make(map[string]string, len(d))
	for k, v := range d {
		if !auditlog.ValidToken(k) {
			return nil, errs.Wrap(errs.Malformed, "audit.detail", errors.New("key is not a token"))
		}
		escaped, err := marshalVisible(v)
		if err != nil {
			return nil, errs.Wrap(errs.Internal, "audit.detail", err)
		}
		plain := len(escaped) <= max(limits.AuditDetail/4, base64.StdEncoding.EncodedLen(len(v)))
		if utf8.ValidString(v) && plain {
			safe[k] = v
		} else {
			safe[k+b64Suffix] = base64.StdEncoding.EncodeToString([]byte(v))
		}
	}
	b, err := marshalVisible(safe)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "audit.detail", err)
	}
	if len(b) > limits.AuditDetail {
		return nil, errs.New(errs.TooLarge, "audit.detail")
	}
	return b, nil
}

// open returns a record's detail. ok is false when its key is gone.
func (s *sealer) open(r *auditlog.Record) (detail map[string]string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(r.Sealed)
	if err != nil || len(raw) < 12 {
		return nil, false
	}
	k, err := s.get(r.App, false)
	if err != nil {
		return nil, false
	}
	// A key made after an erasure does not open what the old one sealed.
	plain, err := k.aead.Open(nil, raw[:12], raw[12:], additional(r.App))
	if err != nil {
		return nil, false
	}
	var stored map[string]string
	if err := json.Unmarshal(plain, &stored); err != nil {
		return nil, false
	}
	detail = make(map[string]string, len(stored))
	for k, v := range stored {
		if name, is := strings.CutSuffix(k, b64Suffix); is {
			if b, err := base64.StdEncoding.DecodeString(v); err == nil {
				k, v = name, string(b)
			}
		}
		detail[k] = v
	}
	return detail, true
}

// Erase destroys an app's keys: no detail and no tag that the log holds of it
// can be opened or matched again, and all proofs stay valid. An intent stands
// before it and an erased record behind it.
func (l *Log) Erase(ctx context.Context, app string) error {
	if !auditlog.ValidToken(app) {
		return errs.New(errs.Malformed, "audit.erase")
	}
	ev := Event{Kind: auditlog.Intent, Actor: Actor{App: app}, Method: "audit.erase"}
	if _, err := l.Append(ctx, ev); err != nil {
		return err
	}
	if err := l.sealer.forget(app); err != nil {
		return err
	}
	ev.Kind, ev.Code = auditlog.Erased, "ok"
	_, err := l.Append(ctx, ev)
	return err
}
