package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// fixtureFormat names the format in the file; another number would be another format.
const fixtureFormat = "bcdev fixture 1"

// Bounds of a fixture.
const (
	fixtureLimit  = 4 << 20 // bytes of the file
	targetLimit   = 64 << 10
	headerLimit   = 100 // fields
	fixtureDetail = 256 << 10
)

// fixture is one exchange as it is committed: readable, and without a secret. Code and signed
// payloads are placeholders; the claims stay, so that a replay can sign them anew.
type fixture struct {
	Format string          `json:"format"`
	Kind   capture.Kind    `json:"kind"`
	Topic  string          `json:"topic,omitempty"`
	Store  string          `json:"store,omitempty"`
	At     time.Time       `json:"at,omitzero"`
	Method string          `json:"method"`
	Target string          `json:"target"`
	Host   string          `json:"host,omitempty"`
	Header http.Header     `json:"header,omitempty"`
	Detail json.RawMessage `json:"detail,omitempty"`
	// The body is in one of three forms: JSON where that gives back the same bytes, text where it
	// is text, else base64.
	Body       json.RawMessage `json:"body,omitempty"`
	BodyText   string          `json:"body_text,omitempty"`
	BodyBase64 []byte          `json:"body_base64,omitempty"`
}

// FixtureError says why a file is no fixture.
type FixtureError struct {
	Problem string
	Err     error
}

func (e *FixtureError) Error() string {
	if e.Err != nil {
		return "reading a fixture: " + e.Problem + ": " + e.Err.Error()
	}
	return "reading a fixture: " + e.Problem
}

// Unwrap returns the cause.
func (e *FixtureError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *FixtureError) Hint() string {
	return "write a fixture with: bcdev export REF -o callbacks/install.json"
}

// droppedFields never go into a fixture: credentials, what a proxy added, and what is made anew.
var droppedFields = []string{"Cookie", "Authorization", "Proxy-Authorization", "Forwarded", "X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via", "Content-Length", "Connection", "Referer"}

// secretWords in the name of a field make its value one that is not committed.
var secretWords = []string{"token", "secret", "key", "auth", "password", "session", "credential"}

// WriteFixture writes e as a file to commit: one callback or webhook, human-readable, free of
// secrets. ReadFixture reads it back.
func WriteFixture(w io.Writer, e capture.Exchange) error {
	if e.Request.Truncated || e.Request.Dropped {
		return fmt.Errorf("writing a fixture: %w", capture.ErrTruncated)
	}
	path, query, found := strings.Cut(originForm(e.Target), "?")
	if found {
		path += "?" + placeholders(query)
	}
	f := fixture{
		Format: fixtureFormat, Kind: e.Kind, Topic: e.Topic, Store: e.Store, At: e.At.UTC().Truncate(time.Second),
		Method: e.Method, Target: path, Host: e.Host, Header: committed(e.Request.Header),
		Detail: e.Detail,
	}
	body := e.Request.Body
	switch {
	case len(body) == 0:
	case isCompact(body):
		f.Body = body
	case utf8.Valid(body):
		f.BodyText = string(body)
	default:
		f.BodyBase64 = body
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		return fmt.Errorf("writing a fixture: %w", err)
	}
	return nil
}

// originForm cuts scheme and host off a target that came in absolute form.
func originForm(target string) string {
	_, rest, absolute := strings.Cut(target, "://")
	if strings.HasPrefix(target, "/") || !absolute {
		return target
	}
	host, path, _ := strings.Cut(rest, "/")
	if _, query, found := strings.Cut(host, "?"); found {
		return "/?" + query
	}
	return "/" + path
}

// placeholders takes the secrets out of a query.
func placeholders(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		key, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			name = key
		}
		switch name {
		case "code", "signed_payload_jwt", "signed_payload":
			parts[i] = key + "=" + placeholder(name)
			continue
		}
		if _, changed := redact.Query(part); changed || strings.Contains(value, redact.Mask) {
			parts[i] = key + "=" + placeholder("left-out")
		}
	}
	return strings.Join(parts, "&")
}

// committed is what may be committed of a header.
func committed(h http.Header) http.Header {
	out := redact.Header(h)
	for _, name := range append(masked(out), droppedFields...) {
		out.Del(name)
	}
	signed := h.Get(webhookSignature) != ""
	for name := range out {
		lower := strings.ToLower(name)
		for _, word := range secretWords {
			if strings.Contains(lower, word) {
				delete(out, name)
			}
		}
	}
	out.Del(webhookTimestamp)
	out.Del(webhookSignature)
	if signed {
		out.Set(webhookSignature, placeholder("webhook-signature"))
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// isCompact reports whether body is JSON without spaces, which an indented copy gives back byte
// for byte.
func isCompact(body []byte) bool {
	var b bytes.Buffer
	return utf8.Valid(body) && json.Compact(&b, body) == nil && bytes.Equal(b.Bytes(), body)
}

// ReadFixture reads what WriteFixture wrote, or what a person made of it. The exchange has no ID.
// Its error is a *FixtureError.
func ReadFixture(r io.Reader) (capture.Exchange, error) {
	raw, err := io.ReadAll(io.LimitReader(r, fixtureLimit+1))
	switch {
	case err != nil:
		return capture.Exchange{}, &FixtureError{"it cannot be read", err}
	case len(raw) > fixtureLimit:
		return capture.Exchange{}, &FixtureError{Problem: "it is larger than 4 MiB"}
	}
	var f fixture
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return capture.Exchange{}, &FixtureError{"it is not as expected", err}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return capture.Exchange{}, &FixtureError{Problem: "something follows the exchange"}
	}
	if problem := f.problem(); problem != "" {
		return capture.Exchange{}, &FixtureError{Problem: problem}
	}
	return f.exchange()
}

// problem says what is wrong with a decoded fixture, or "".
func (f fixture) problem() string {
	given := 0
	for _, there := range []bool{len(f.Body) > 0, f.BodyText != "", len(f.BodyBase64) > 0} {
		if there {
			given++
		}
	}
	switch {
	case f.Format != fixtureFormat:
		return fmt.Sprintf("its format is %q, not %q", f.Format, fixtureFormat)
	case !isCallback(f.Kind):
		return fmt.Sprintf("its kind is %q, not auth, load, uninstall, remove_user or webhook", f.Kind)
	case !httpguts.ValidHeaderFieldName(f.Method):
		return "its method is not one word"
	case !strings.HasPrefix(f.Target, "/") || len(f.Target) > targetLimit || !isVisible(f.Target):
		return "its target is not a path with a query"
	case f.Host != "" && !httpguts.ValidHostHeader(f.Host):
		return "its host is none"
	case given > 1:
		return "it has more than one body"
	case len(f.Header) > headerLimit:
		return "it has more than 100 header fields"
	case len(f.Detail) > fixtureDetail:
		return "its detail is larger than 256 KiB"
	}
	for name, values := range f.Header {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Sprintf("%q is no header field", name)
			}
		}
	}
	return ""
}

func isCallback(k capture.Kind) bool {
	switch k {
	case capture.Auth, capture.Load, capture.Uninstall, capture.RemoveUser, capture.Hook:
		return true
	}
	return false
}

// isVisible reports whether s can stand in a request line.
func isVisible(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError }) < 0
}

func (f fixture) exchange() (capture.Exchange, error) {
	e := capture.Exchange{
		Door: capture.Public, Kind: f.Kind, Topic: f.Topic, Store: f.Store, At: f.At,
		Method: f.Method, Target: f.Target, Host: f.Host, Proto: "HTTP/1.1", Via: "import", Detail: f.Detail,
	}
	e.Request.Header = http.Header{}
	for name, values := range f.Header {
		name = http.CanonicalHeaderKey(name)
		e.Request.Header[name] = append(e.Request.Header[name], values...)
	}
	switch {
	case len(f.Body) > 0:
		var b bytes.Buffer
		if err := json.Compact(&b, f.Body); err != nil {
			return capture.Exchange{}, &FixtureError{"its body is not JSON", err}
		}
		e.Request.Body = b.Bytes()
	case f.BodyText != "":
		e.Request.Body = []byte(f.BodyText)
	case len(f.BodyBase64) > 0:
		e.Request.Body = f.BodyBase64
	}
	e.Request.Size = int64(len(e.Request.Body))
	return e, nil
}
