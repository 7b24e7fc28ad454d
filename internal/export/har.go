package export

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// The types of HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/). Members that begin with
// an underscore are ours, as the specification allows.
type (
	harFile struct {
		Log harLog `json:"log"`
	}
	harLog struct {
		Version string     `json:"version"`
		Creator harCreator `json:"creator"`
		Entries []harEntry `json:"entries"`
	}
	harCreator struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	harEntry struct {
		Started  string      `json:"startedDateTime"`
		Time     float64     `json:"time"` // ms
		Request  harRequest  `json:"request"`
		Response harResponse `json:"response"`
		Cache    struct{}    `json:"cache"`
		Timings  harTimings  `json:"timings"`
		Comment  string      `json:"comment,omitempty"`
		Ours     *harOurs    `json:"_bcdev,omitempty"`
	}
	harRequest struct {
		Method      string    `json:"method"`
		URL         string    `json:"url"`
		HTTPVersion string    `json:"httpVersion"`
		Cookies     []harPair `json:"cookies"`
		Headers     []harPair `json:"headers"`
		QueryString []harPair `json:"queryString"`
		PostData    *harPost  `json:"postData,omitempty"`
		HeadersSize int       `json:"headersSize"`
		BodySize    int64     `json:"bodySize"`
	}
	harResponse struct {
		Status      int        `json:"status"`
		StatusText  string     `json:"statusText"`
		HTTPVersion string     `json:"httpVersion"`
		Cookies     []harPair  `json:"cookies"`
		Headers     []harPair  `json:"headers"`
		Content     harContent `json:"content"`
		RedirectURL string     `json:"redirectURL"`
		HeadersSize int        `json:"headersSize"`
		BodySize    int64      `json:"bodySize"`
		Error       string     `json:"_error,omitempty"`
	}
	harPair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	harPost struct {
		MimeType string    `json:"mimeType"`
		Params   []harPair `json:"params"`
		Text     string    `json:"text"`
		Encoding string    `json:"_encoding,omitempty"` // the specification forgot it here
		Comment  string    `json:"comment,omitempty"`
	}
	harContent struct {
		Size        int64  `json:"size"`
		Compression int64  `json:"compression,omitempty"`
		MimeType    string `json:"mimeType"`
		Text        string `json:"text,omitempty"`
		Encoding    string `json:"encoding,omitempty"`
		Comment     string `json:"comment,omitempty"`
	}
	harTimings struct {
		Blocked float64 `json:"blocked"`
		DNS     float64 `json:"dns"`
		Connect float64 `json:"connect"`
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
		SSL     float64 `json:"ssl"`
	}
	harOurs struct {
		ID      int64        `json:"id,omitempty"`
		Door    capture.Door `json:"door,omitempty"`
		Kind    capture.Kind `json:"kind,omitempty"`
		Topic   string       `json:"topic,omitempty"`
		Store   string       `json:"store,omitempty"`
		Of      int64        `json:"of,omitempty"`
		Via     string       `json:"via,omitempty"`
		Verdict string       `json:"verdict,omitempty"`
		Hint    string       `json:"hint,omitempty"`
		Marks   []string     `json:"marks,omitempty"`
	}
)

// unpackLimit bounds what a compressed body becomes in a file: bytes.
const unpackLimit = 8 << 20

// HAR writes exchanges as an HTTP Archive 1.2, oldest first.
func HAR(exchanges []capture.Exchange, o Options) ([]byte, error) {
	o = o.withDefaults()
	file := harFile{Log: harLog{Version: "1.2", Creator: harCreator{"bcdev", o.Version}, Entries: []harEntry{}}}
	for _, e := range oldestFirst(exchanges) {
		file.Log.Entries = append(file.Log.Entries, entryOf(e, o))
	}
	out, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the archive: %w", err)
	}
	return append(out, '\n'), nil
}

func entryOf(e capture.Exchange, o Options) harEntry {
	first := min(max(e.First, 0), max(e.Took, 0))
	if first == 0 {
		first = max(e.Took, 0)
	}
	wait, receive := milliseconds(first), milliseconds(max(e.Took, 0)-first)
	return harEntry{
		Started:  e.At.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		Time:     wait + receive,
		Request:  requestOf(e, o),
		Response: responseOf(e),
		Timings:  harTimings{Blocked: -1, DNS: -1, Connect: -1, SSL: -1, Wait: wait, Receive: receive},
		Comment:  e.Hint,
		Ours: &harOurs{
			ID: e.ID, Door: e.Door, Kind: e.Kind, Topic: e.Topic, Store: e.Store,
			Of: e.Of, Via: e.Via, Verdict: e.Verdict, Hint: e.Hint, Marks: e.Marks,
		},
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func requestOf(e capture.Exchange, o Options) harRequest {
	base, target := place(e, o)
	target, _ = redact.Target(target)
	r := harRequest{
		Method: e.Method, URL: base + escapeTarget(target), HTTPVersion: version(e.Proto),
		Cookies: []harPair{}, Headers: headersOf(e.Request.Header), QueryString: queryOf(target),
		PostData: postOf(e), HeadersSize: -1, BodySize: e.Request.Size,
	}
	if e.Door == capture.API && e.Kind != capture.Token && o.WithSecrets != nil {
		if token := o.WithSecrets(e.Store); token != "" {
			r.Headers = append(r.Headers, harPair{"X-Auth-Token", token})
		}
	}
	return r
}

func version(proto string) string {
	if proto == "" {
		return "HTTP/1.1"
	}
	return proto
}

// headersOf lists fields without cookies: masked they say nothing, and unmasked too much.
func headersOf(h http.Header) []harPair {
	h = redact.Header(h)
	pairs := []harPair{}
	for _, name := range sortedNames(h) {
		if isCookie(name) {
			continue
		}
		for _, v := range h[name] {
			pairs = append(pairs, harPair{name, v})
		}
	}
	return pairs
}

func isCookie(name string) bool {
	return strings.EqualFold(name, "Cookie") || strings.EqualFold(name, "Set-Cookie")
}

func queryOf(target string) []harPair {
	pairs := []harPair{}
	_, query, found := strings.Cut(target, "?")
	if !found || query == "" {
		return pairs
	}
	for part := range strings.SplitSeq(query, "&") {
		name, v, _ := strings.Cut(part, "=")
		pairs = append(pairs, harPair{unescape(name), unescape(v)})
	}
	return pairs
}

func unescape(text string) string {
	if out, err := url.QueryUnescape(text); err == nil {
		return out
	}
	return text
}

func postOf(e capture.Exchange) *harPost {
	m := e.Request
	if len(m.Body) == 0 {
		return nil
	}
	p := &harPost{MimeType: m.Header.Get("Content-Type"), Params: []harPair{}, Comment: cutWords(m)}
	p.Text, p.Encoding = textOf(redactBody(e, m, m.Body))
	return p
}

// redactBody masks a body once more: what was imported came past no door of ours.
func redactBody(e capture.Exchange, m capture.Message, body []byte) []byte {
	return redact.Body(e.Target, m.Header.Get("Content-Type"), body)
}

// textOf is a body for JSON: as text, or as base64 when it is none.
func textOf(body []byte) (text, encoding string) {
	if utf8.Valid(body) {
		return string(body), ""
	}
	return base64.StdEncoding.EncodeToString(body), "base64"
}

func cutWords(m capture.Message) string {
	switch {
	case m.Dropped:
		return fmt.Sprintf("the body of %d bytes was not kept", m.Size)
	case m.Truncated:
		return fmt.Sprintf("cut: %d of %d bytes kept", len(m.Body), m.Size)
	}
	return ""
}

func responseOf(e capture.Exchange) harResponse {
	m := e.Response
	location, _ := redact.Target(m.Header.Get("Location"))
	r := harResponse{
		Status: e.Status, StatusText: http.StatusText(e.Status), HTTPVersion: version(e.Proto),
		Cookies: []harPair{}, Headers: headersOf(m.Header), RedirectURL: location,
		HeadersSize: -1, BodySize: m.Size, Error: e.Err,
	}
	body, cut, err := m.Decoded(unpackLimit)
	if err != nil && len(body) == 0 {
		body = m.Body
	}
	r.Content = harContent{Size: int64(len(body)), MimeType: m.Header.Get("Content-Type"), Comment: cutWords(m)}
	r.Content.Text, r.Content.Encoding = textOf(redactBody(e, m, body))
	switch {
	case m.Truncated || m.Dropped:
		r.Content.Size = max(m.Size, int64(len(body)))
	case m.Header.Get("Content-Encoding") != "" && err == nil && !cut:
		r.Content.Compression = int64(len(body)) - m.Size
	}
	return r
}

func oldestFirst(exchanges []capture.Exchange) []capture.Exchange {
	out := append([]capture.Exchange(nil), exchanges...)
	sortByTime(out)
	return out
}

func sortByTime(exchanges []capture.Exchange) {
	slices.SortStableFunc(exchanges, func(a, b capture.Exchange) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
}
