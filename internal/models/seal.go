package models

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
)

// KeyName is the name of the key of [Config.Key] in a key store, and KeySize how
// long it is.
const (
	KeyName = "models"
	KeySize = 32
)

// sealLabel begins what is sealed, so that a seal means nothing elsewhere.
const sealLabel = "bailey-model-file/1"

// seal is the keyed hash by which a later store believes that a file's bytes were
// hashed, and were those of the digest: HMAC-SHA256 (RFC 2104) over the label, the
// digest, and each number of the identity as 8 bytes, big-endian. Empty without a
// key.
func (s *Store) seal(d Digest, id modelfile.Identity) string {
	if len(s.cfg.Key) == 0 {
		return ""
	}
	m := hmac.New(sha256.New, s.cfg.Key)
	m.Write([]byte(sealLabel))
	m.Write(d[:])
	for _, n := range []uint64{id.Device, id.Inode, id.Size, uint64(id.Mtime), uint64(id.Ctime)} {
		m.Write(binary.BigEndian.AppendUint64(nil, n))
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// sealed reports whether a row of the index says truly that its file was hashed.
func (s *Store) sealed(m *model) bool {
	want := s.seal(m.Digest, m.identity)
	return want != "" && hmac.Equal([]byte(want), []byte(m.seal))
}

// settled reports whether every later write is going to show in a file's times. A
// change in the same tick of the file system's clock as the last one does not.
func (s *Store) settled(id modelfile.Identity) bool {
	age := s.cfg.Clock.Wall().UnixNano() - id.Ctime
	return age > limits.ModelSettled.Nanoseconds()
}
