package export

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// What is read from an archive at most.
const (
	maxArchive = 64 << 20 // bytes
	maxEntries = 10_000
	maxHeaders = 256 // fields of one message
	maxMarks   = 16
	maxTook    = 24 * time.Hour
)

// ErrNotHAR is returned for input that is no HTTP Archive.
var ErrNotHAR = errors.New("not an HTTP Archive (HAR)")

// ReadHAR reads the exchanges of an HTTP Archive, any tool's: at most 10,000 entries in 64 MiB.
// Secrets are masked while reading. The exchanges have no ID and are marked as imported.
func ReadHAR(r io.Reader) ([]capture.Exchange, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxArchive+1))
	if err != nil {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	if len(data) > maxArchive {
		return nil, fmt.Errorf("reading the archive: more than %d MiB; export fewer requests at once", maxArchive>>20)
	}
	data = []byte(strings.TrimPrefix(string(data), "\ufeff")) // some tools begin with a byte order mark
	var file struct {
		Log *harLog `json:"log"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("reading the archive: %w: %w", ErrNotHAR, err)
	}
	if file.Log == nil {
		return nil, fmt.Errorf("reading the archive: %w: it has no log", ErrNotHAR)
	}
	if n := len(file.Log.Entries); n > maxEntries {
		return nil, fmt.Errorf("reading the archive: %d entries, and %d are the most; export fewer requests at once", n, maxEntries)
	}
	out := make([]capture.Exchange, 0, len(file.Log.Entries))
	for i, entry := range file.Log.Entries {
		e, err := exchangeOf(entry)
		if err != nil {
			return nil, fmt.Errorf("reading the archive: entry %d: %w", i+1, err)
		}
		out = append(out, e)
	}
	return out, nil
}

func exchangeOf(entry harEntry) (capture.Exchange, error) {
	u, err := url.Parse(entry.Request.URL)
	if err != nil {
		return capture.Exchange{}, errors.New("its URL cannot be read") // the cause would quote it, secrets included
	}
	if !isMethod(entry.Request.Method) {
		return capture.Exchange{}, fmt.Errorf("%q is no method", redact.Terminal(entry.Request.Method[:min(len(entry.Request.Method), 20)]))
	}
	e := capture.Exchange{
		At: startOf(entry.Started), Took: tookOf(entry.Time), Method: entry.Request.Method,
		Host: u.Host, Proto: protoOf(entry.Request.HTTPVersion), Via: "import",
		Status: statusOf(entry.Response.Status), Err: clip(entry.Response.Error),
	}
	e.First = min(tookOf(max(entry.Timings.Send, 0)+max(entry.Timings.Wait, 0)), e.Took)
	target := u.EscapedPath()
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	e.Target, _ = redact.Target(strings.ReplaceAll(target, url.QueryEscape(redact.Mask), redact.Mask))
	classify(&e, entry.Ours)
	if e.Request, err = requestMessage(e.Target, entry.Request); err != nil {
		return capture.Exchange{}, err
	}
	e.Response, err = responseMessage(e.Target, entry.Response)
	return e, err
}

// classify says where an entry crossed and what it is: as our own archive says, else by address.
func classify(e *capture.Exchange, ours *harOurs) {
	e.Door, e.Kind = capture.API, capture.Call
	path, _, _ := strings.Cut(e.Target, "?")
	if rest, ok := strings.CutPrefix(path, "/stores/"); ok {
		if hash, _, _ := strings.Cut(rest, "/"); bigcommerce.ValidStoreHash(hash) {
			e.Store = hash
		}
	}
	if strings.HasSuffix(path, "/oauth2/token") {
		e.Kind = capture.Token
	}
	if ours == nil {
		return
	}
	if slices.Contains([]capture.Door{capture.Public, capture.API, capture.Local}, ours.Door) {
		e.Door = ours.Door
	}
	if slices.Contains(kinds(), ours.Kind) {
		e.Kind = ours.Kind
	}
	if bigcommerce.ValidStoreHash(ours.Store) {
		e.Store = ours.Store
	}
	e.Topic, e.Hint = clip(ours.Topic), clip(ours.Hint)
	if slices.Contains([]string{"same", "fixed", "regressed", "failing"}, ours.Verdict) {
		e.Verdict = ours.Verdict
	}
	for _, mark := range ours.Marks[:min(len(ours.Marks), maxMarks)] {
		e.Marks = append(e.Marks, clip(mark))
	}
}

func kinds() []capture.Kind {
	return []capture.Kind{capture.Auth, capture.Load, capture.Uninstall, capture.RemoveUser,
		capture.Hook, capture.Call, capture.Token, capture.Other}
}

// clip bounds a stranger's words.
func clip(text string) string {
	const most = 500
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

func isMethod(method string) bool {
	return len(method) <= 32 && tidy(method, "")
}

func startOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1990 || t.Year() > 9999 {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

func tookOf(ms float64) time.Duration {
	if !(ms > 0) { // NaN, too
		return 0
	}
	return time.Duration(min(ms, float64(maxTook.Milliseconds())) * float64(time.Millisecond))
}

// protoOf spells the version as net/http does; browsers write "http/2.0", "h2", "h3".
func protoOf(text string) string {
	switch strings.ToLower(text) {
	case "h2", "http/2", "http/2.0":
		return "HTTP/2.0"
	case "h3", "http/3", "http/3.0":
		return "HTTP/3.0"
	case "http/1.0":
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

func statusOf(status int) int {
	if status < 100 || status > 999 {
		return 0
	}
	return status
}

// headerOf reads fields and masks the secret ones. Pseudo fields of HTTP/2 and what could not
// travel are passed over.
func headerOf(pairs []harPair) http.Header {
	h := http.Header{}
	for _, p := range pairs[:min(len(pairs), maxHeaders)] {
		if tidy(p.Name, p.Value) && !isCookie(p.Name) {
			h.Add(p.Name, p.Value)
		}
	}
	return redact.Header(h)
}

func requestMessage(target string, r harRequest) (capture.Message, error) {
	m := capture.Message{Header: headerOf(r.Headers)}
	if r.PostData == nil {
		return seal(target, m, nil, 0), nil
	}
	text := r.PostData.Text
	if text == "" && len(r.PostData.Params) > 0 {
		text = formOf(r.PostData.Params)
	}
	body, err := bytesOf(text, r.PostData.Encoding)
	if err != nil {
		return m, fmt.Errorf("the request's body: %w", err)
	}
	if m.Header.Get("Content-Type") == "" && r.PostData.MimeType != "" && tidy("Content-Type", r.PostData.MimeType) {
		m.Header.Set("Content-Type", r.PostData.MimeType)
	}
	return seal(target, m, body, r.BodySize), nil
}

func formOf(params []harPair) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value))
	}
	return b.String()
}

// responseMessage drops Content-Encoding: an archive holds bodies unpacked.
func responseMessage(target string, r harResponse) (capture.Message, error) {
	m := capture.Message{Header: headerOf(r.Headers)}
	body, err := bytesOf(r.Content.Text, r.Content.Encoding)
	if err != nil {
		return m, fmt.Errorf("the response's body: %w", err)
	}
	m.Header.Del("Content-Encoding")
	size := r.Content.Size
	if strings.HasPrefix(r.Content.Comment, "cut: ") {
		size = max(size, r.BodySize)
	}
	return seal(target, m, body, size), nil
}

func bytesOf(text, encoding string) ([]byte, error) {
	if !strings.EqualFold(encoding, "base64") {
		return []byte(text), nil
	}
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("reading base64: %w", err)
	}
	return body, nil
}

// seal fills in what follows from a body. A claimed size above the body's own means that the
// archive holds only its beginning.
func seal(target string, m capture.Message, body []byte, claimed int64) capture.Message {
	body = redact.Body(target, m.Header.Get("Content-Type"), body)
	m.Body, m.Size = body, int64(len(body))
	if m.Header.Get("Content-Encoding") == "" && claimed > m.Size && claimed < 1<<40 {
		m.Size, m.Truncated = claimed, true
		return m
	}
	sum := sha256.Sum256(body)
	m.SHA256 = hex.EncodeToString(sum[:])
	return m
}
