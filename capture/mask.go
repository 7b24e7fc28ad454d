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
	whole := e.Target
	masked, changed := redact.Target(e.Target)
	e.Target = m.text(masked)
	if changed && m.seal != nil {
		sealed, err = m.seal([]byte(m.text(whole)))
	}
	e.Sealed = len(sealed) > 0
	m.facts(e)
	m.message(e, &e.Request)
	m.message(e, &e.Response)
	return sealed, err
}

// facts masks what a room may have written about e.
func (m *masker) facts(e *Exchange) {
	e.Topic, e.Hint, e.Err = m.text(e.Topic), clip(m.text(e.Hint)), clip(m.text(e.Err))
	e.Store, e.Host, e.Via, e.Verdict = m.text(e.Store), m.text(e.Host), m.text(e.Via), m.text(e.Verdict)
	e.Detail = m.known.Scrub(e.Detail, false)
	for i, mark := range e.Marks {
		e.Marks[i] = clip(strings.ReplaceAll(m.text(mark), "\n", " "))
	}
}

func (m *masker) message(e *Exchange, msg *Message) {
	m.header(msg.Header)
	m.header(msg.Trailer)
	if len(msg.Body) > 0 {
		m.body(e, msg)
	}
}

// header scrubs the values of h, which is a copy of ours.
func (m *masker) header(h http.Header) {
	if len(m.last) == 0 {
		return
	}
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
	if e.Kind != Token && len(m.last) == 0 {
		return
	}
	text, cut, err := msg.Decoded(0)
	masked := clean(text)
	switch {
	case e.Kind == Token && len(text) == 0 && err != nil:
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
