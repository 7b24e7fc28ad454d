package capture

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"bcdev/internal/redact"
)

// longest text kept of an error, a hint or a mark.
const maxText = 2000

// masker takes the secrets out of what is about to be stored. It belongs to one goroutine.
type masker struct {
	seal   func([]byte) ([]byte, error)
	secret func() []string
	known  redact.Known
	last   []string

	harmless map[string]struct{} // targets that need no mask
	scratch  []byte
}

// refresh asks again which secrets are known, and tells whether they changed.
func (m *masker) refresh() bool {
	if m.secret == nil {
		return false
	}
	now := m.secret()
	if slices.Equal(now, m.last) {
		return false
	}
	m.last, m.known = slices.Clone(now), redact.NewKnown(now...)
	return true
}

// exchange masks e in place and returns the sealed target, nil when nothing had to be sealed.
func (m *masker) exchange(e *Exchange) (sealed []byte, err error) {
	e.Request.Header, e.Response.Header = redact.Header(e.Request.Header), redact.Header(e.Response.Header)
	e.Request.Trailer, e.Response.Trailer = redact.Header(e.Request.Trailer), redact.Header(e.Response.Trailer)
	return m.recorded(e)
}

// recorded is [masker.exchange] for an exchange whose headers were masked when they were copied.
func (m *masker) recorded(e *Exchange) (sealed []byte, err error) {
	m.texts(e)
	sealed, err = m.target(e)
	e.Sealed = len(sealed) > 0
	m.bodies(e)
	return sealed, err
}

// target masks the request target. Most come again and again, and need nothing.
func (m *masker) target(e *Exchange) (sealed []byte, err error) {
	if _, ok := m.harmless[e.Target]; ok {
		return nil, nil
	}
	masked, changed := redact.Target(e.Target)
	if !changed {
		if m.harmless == nil || len(m.harmless) > maxCached {
			m.harmless = map[string]struct{}{}
		}
		m.harmless[strings.Clone(e.Target)] = struct{}{}
		return nil, nil
	}
	whole := e.Target
	e.Target = masked
	if m.seal == nil {
		return nil, nil
	}
	return m.seal([]byte(whole))
}

// facts masks what a room may have written about e, and shortens it.
func (m *masker) facts(e *Exchange) {
	e.Topic, e.Hint, e.Err = m.text(e.Topic), clip(m.text(e.Hint)), clip(m.text(e.Err))
	e.Store, e.Host, e.Via, e.Verdict = m.text(e.Store), m.text(e.Host), m.text(e.Via), m.text(e.Verdict)
	e.Detail = m.known.Scrub(e.Detail, false)
	for i, mark := range e.Marks {
		e.Marks[i] = clip(strings.ReplaceAll(m.text(mark), "\n", " "))
	}
}

// texts takes known secrets out of all that is not a body. All of it is looked through at once,
// since next to nothing ever holds one.
func (m *masker) texts(e *Exchange) {
	if len(m.last) > 0 {
		m.gather(e)
		if found := m.known.Scrub(m.scratch, false); len(found) > 0 && &found[0] != &m.scratch[0] {
			e.Target, e.Remote = m.text(e.Target), m.text(e.Remote)
			for _, h := range []http.Header{e.Request.Header, e.Request.Trailer, e.Response.Header, e.Response.Trailer} {
				m.header(h)
			}
			m.facts(e)
			return
		}
	}
	e.Hint, e.Err = clip(e.Hint), clip(e.Err)
	for i, mark := range e.Marks {
		if strings.Contains(mark, "\n") || len(mark) > maxText {
			e.Marks[i] = clip(strings.ReplaceAll(mark, "\n", " "))
		}
	}
}

// gather puts all texts of e in one place.
func (m *masker) gather(e *Exchange) {
	b := m.scratch[:0]
	for _, s := range [...]string{e.Topic, e.Hint, e.Err, e.Store, e.Host, e.Via, e.Verdict, e.Target, e.Remote} {
		b = append(append(b, s...), '\n')
	}
	for _, s := range e.Marks {
		b = append(append(b, s...), '\n')
	}
	b = append(append(b, e.Detail...), '\n')
	for _, h := range [...]http.Header{e.Request.Header, e.Request.Trailer, e.Response.Header, e.Response.Trailer} {
		for name, values := range h {
			b = append(append(b, name...), '\n')
			for _, v := range values {
				b = append(append(b, v...), '\n')
			}
		}
	}
	m.scratch = b
}

func (m *masker) bodies(e *Exchange) {
	for _, msg := range [...]*Message{&e.Request, &e.Response} {
		if len(msg.Body) > 0 {
			m.body(e, msg)
		}
	}
}

// header scrubs the values of h, which is a copy of ours.
func (m *masker) header(h http.Header) {
	for _, values := range h {
		for i, v := range values {
			values[i] = m.text(v)
		}
	}
}

// body masks a body. A compressed one is looked into, and written anew only when it holds a
// secret; what cannot be looked into is not kept where secrets are to be expected.
func (m *masker) body(e *Exchange, msg *Message) {
	encoding, contentType := msg.Header.Get("Content-Encoding"), msg.Header.Get("Content-Type")
	clean := func(b []byte) []byte {
		return m.known.Scrub(redact.Body(e.Target, contentType, b), msg.Truncated)
	}
	if plainEncoding(encoding) {
		msg.Body = clean(msg.Body)
		return
	}
	text, cut, err := msg.Decoded(0)
	masked := clean(text)
	switch {
	case len(text) == 0 && err != nil && e.Kind == Token:
		msg.Body, msg.Dropped = nil, true
	case bytes.Equal(masked, text):
	default:
		msg.Truncated = msg.Truncated || cut
		msg.Body, err = encode(encoding, masked)
		msg.Dropped = msg.Dropped || err != nil
	}
}

func (m *masker) text(s string) string {
	if len(m.last) == 0 || s == "" {
		return s
	}
	return m.known.ScrubString(s)
}

// clip shortens a text at a whole character.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
