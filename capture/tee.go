package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// emptyHash is the SHA-256 of no bytes.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// tee keeps the beginning of a body, and its true size and hash. As long as all of it is kept,
// the hash can wait until it is stored. Its user serialises the calls.
type tee struct {
	pool    *buffers
	limit   int  // bytes kept
	expect  int  // bytes announced, so that the first buffer fits
	force   bool // kept over the budget, too
	buf     *buffer
	size    int64
	sum     hash.Hash // from the moment a byte is not kept
	cut     bool
	dropped bool
}

func (t *tee) write(p []byte) {
	if len(p) == 0 {
		return
	}
	t.size += int64(len(p))
	if t.sum != nil {
		t.sum.Write(p)
		return
	}
	kept := t.kept()
	room := t.limit - len(kept)
	if !t.grow(min(len(p), room)) {
		t.hashOn(p)
		t.dropped = true
		t.release()
		return
	}
	if room >= len(p) {
		t.buf.b = append(t.buf.b, p...)
		return
	}
	t.hashOn(p)
	t.cut = true
	if room > 0 {
		t.buf.b = append(t.buf.b, p[:room]...)
	}
}

func (t *tee) kept() []byte {
	if t.buf == nil {
		return nil
	}
	return t.buf.b
}

// hashOn starts the hash with what is kept and goes on with p.
func (t *tee) hashOn(p []byte) {
	t.sum = sha256.New()
	t.sum.Write(t.kept())
	t.sum.Write(p)
}

// grow makes room for n more bytes; false when the budget is spent.
func (t *tee) grow(n int) bool {
	if n <= 0 {
		return true
	}
	kept := t.kept()
	need := len(kept) + n
	if t.buf != nil && need <= cap(t.buf.b) {
		return true
	}
	switch {
	case t.buf == nil && t.expect > need:
		need = min(t.expect, t.limit)
	case t.buf != nil: // by doubling: small steps would leave five times the body behind
		need = max(need, min(2*cap(t.buf.b), t.limit))
	}
	bigger := t.pool.get(need, t.force)
	if bigger == nil {
		return false
	}
	bigger.b = append(bigger.b, kept...)
	t.pool.put(t.buf)
	t.buf = bigger
	return true
}

// message puts what was kept into m. The body stays the tee's until release.
func (t *tee) message(m *Message) {
	m.Body, m.Size = t.kept(), t.size
	m.Truncated, m.Dropped = m.Truncated || t.cut, t.dropped
	m.SHA256 = t.hash()
}

func (t *tee) hash() string {
	switch {
	case t.sum != nil:
		return hexText([sha256.Size]byte(t.sum.Sum(nil)))
	case t.size == 0:
		return emptyHash
	default:
		return hexText(sha256.Sum256(t.kept()))
	}
}

func hexText(sum [sha256.Size]byte) string {
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

func (t *tee) release() {
	t.pool.put(t.buf)
	t.buf = nil
}

// restart forgets everything, for a body that is sent again.
func (t *tee) restart() {
	t.release()
	t.size, t.sum, t.cut, t.dropped = 0, nil, false, false
}
