package deliver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// sentBodyLimit bounds the body in Result.Sent, in bytes.
const sentBodyLimit = 64 << 10

// prepared is a replay ready to be sent.
type prepared struct {
	req         *http.Request
	body        []byte
	resigned    []string
	differences []string
}

func (p *prepared) differ(format string, args ...any) {
	p.differences = append(p.differences, fmt.Sprintf(format, args...))
}

// prepare makes the request of a replay: as captured, then changed as asked, then signed anew,
// then aimed at the app.
func (d *Deliverer) prepare(ctx context.Context, e capture.Exchange, r Replay, to target) (*prepared, error) {
	req, err := e.NewRequest(ctx, to.root())
	if err != nil {
		return nil, &ReplayError{Problem: "the request cannot be made again", Err: err,
			Next: "raise capture.body_limit when bodies are larger, and capture it again"}
	}
	p := &prepared{req: req, body: e.Request.Body}
	for _, name := range masked(e.Request.Header) {
		p.differ("header %s: left out, its value was not kept", name)
	}
	changes, err := parseSet(r.Set)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(r.Header); err != nil {
		return nil, err
	}
	if r.AsIs && len(changes.claims) > 0 {
		return nil, &ReplayError{Problem: "a claim cannot be changed in a payload that is sent as it is",
			Next: "leave out --as-is, so that the payload is signed anew"}
	}
	if err := p.change(changes); err != nil {
		return nil, err
	}
	if err := d.fill(p, e, r.AsIs); err != nil {
		return nil, err
	}
	if err := d.sign(p, e, changes.claims, r.AsIs); err != nil {
		return nil, err
	}
	d.address(p, e, r, to)
	return p, nil
}

// address aims the request, and sets last what the caller asked for by name.
func (d *Deliverer) address(p *prepared, e capture.Exchange, r Replay, to target) {
	to.aim(p.req.URL)
	p.req.Host = ""
	if host := p.req.URL.Host; host != e.Host && e.Host != "" {
		p.differ("host: %s, was %s", host, e.Host)
	}
	d.forwarded(p.req.Header, e.Host, e.Remote)
	overrides := r.Header.Clone()
	for key, value := range r.Set {
		if name, ok := strings.CutPrefix(key, "header."); ok {
			if overrides == nil {
				overrides = http.Header{}
			}
			overrides.Set(name, value)
		}
	}
	for _, name := range sortedKeys(overrides) {
		p.differ("header %s: changed", name)
		if http.CanonicalHeaderKey(name) == "Host" {
			p.req.Host = overrides.Get(name)
			continue
		}
		p.req.Header[http.CanonicalHeaderKey(name)] = overrides[name]
	}
	p.req.Body, p.req.ContentLength = http.NoBody, 0
	if len(p.body) > 0 {
		p.req.Body, p.req.ContentLength = io.NopCloser(bytes.NewReader(p.body)), int64(len(p.body))
	}
	p.req.GetBody = nil
	p.req.TransferEncoding = nil
}

// masked names the fields with a value that was masked on its way to disk. Such a value is not
// sent: dots would be a worse credential than none.
func masked(h http.Header) []string {
	var names []string
	for _, name := range sortedKeys(h) {
		if slices.ContainsFunc(h[name], func(v string) bool { return strings.Contains(v, redact.Mask) }) {
			names = append(names, name)
		}
	}
	return names
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// dump writes the request as HTTP/1.1, for people: credentials and signed payloads are masked.
func dump(req *http.Request, body []byte) []byte {
	var b bytes.Buffer
	shown, _ := redact.Target(req.URL.RequestURI())
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", req.Method, shown, hostOf(req))
	header := redact.Header(req.Header)
	for _, name := range sortedKeys(header) {
		for _, v := range header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body[:min(len(body), sentBodyLimit)])
	return b.Bytes()
}

// queryValue reads one parameter of a raw query, as it is and unescaped. Found more than once, the
// first one counts.
func queryValue(rawQuery, name string) (string, bool) {
	for part := range strings.SplitSeq(rawQuery, "&") {
		key, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(key); err == nil && plain == name {
			if v, err := url.QueryUnescape(value); err == nil {
				return v, true
			}
			return value, true
		}
	}
	return "", false
}

// setQuery replaces the value of a parameter where it stands, or appends it. All else stays byte
// for byte.
func setQuery(rawQuery, name, value string) string {
	parts := strings.Split(rawQuery, "&")
	pair := url.QueryEscape(name) + "=" + url.QueryEscape(value)
	for i, part := range parts {
		key, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(key); err == nil && plain == name {
			parts[i] = key + "=" + url.QueryEscape(value)
			return strings.Join(parts, "&")
		}
	}
	if rawQuery == "" {
		return pair
	}
	return rawQuery + "&" + pair
}
