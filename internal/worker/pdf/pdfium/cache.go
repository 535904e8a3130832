package pdfium

import (
	"bytes"
	"crypto/sha256"
	"io"
)

// cache is wazero's cache of machine code for the one module, in memory. What it
// keeps begins with wazero's key, which is of the module, wazero's format and the
// processor, and the digest of the rest: the two say that it may be tried. Who
// made it, they do not say.
type cache struct {
	given []byte
	used  bool
	made  []byte
}

const (
	keySize    = sha256.Size
	headerSize = keySize + sha256.Size
)

// Get is called by wazero before it compiles.
func (c *cache) Get(key [keySize]byte) (io.ReadCloser, bool, error) {
	if len(c.given) <= headerSize || !bytes.Equal(key[:], c.given[:keySize]) {
		return nil, false, nil
	}
	body := c.given[headerSize:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], c.given[keySize:headerSize]) {
		return nil, false, nil
	}
	c.used = true
	return io.NopCloser(bytes.NewReader(body)), true, nil
}

// Add is called by wazero after it has compiled.
func (c *cache) Add(key [keySize]byte, content io.Reader) error {
	b := bytes.NewBuffer(make([]byte, headerSize))
	if _, err := b.ReadFrom(content); err != nil {
		return err
	}
	c.made = b.Bytes()
	copy(c.made, key[:])
	sum := sha256.Sum256(c.made[headerSize:])
	copy(c.made[keySize:], sum[:])
	return nil
}

// Delete is called by wazero for code of another version.
func (c *cache) Delete([keySize]byte) error {
	c.used = false
	return nil
}
