package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errReset is a fault: the client's connection is broken without an answer.
var errReset = errors.New("an injected fault broke the connection")

// Fault is something that goes wrong on purpose, so that an app's own handling can be tried.
type Fault struct {
	Path    string        // prefix of the API path without its store, e.g. /v3/catalog; "" is every path
	Method  string        // "" is every method
	Status  int           // answered instead of upstream, with BigCommerce's headers and body; 0: upstream answers
	Times   int           // how often; 0 is always
	Latency time.Duration // waited first, at most 10 minutes
	Reset   bool          // the connection breaks instead of an answer
	Cut     int64         // the answer's body breaks off behind so many bytes; 0: it does not
}

// ParseFault reads "path=/v3/catalog status=429 times=3 latency=200ms reset cut=100".
func ParseFault(s string) (Fault, error) {
	var f Fault
	words := strings.Fields(s)
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if err := f.set(key, value); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", printable(s), err)
		}
	}
	if f.Status == 0 && f.Latency == 0 && !f.Reset && f.Cut == 0 {
		return Fault{}, fmt.Errorf("fault %q: it does nothing; give status=, latency=, reset or cut=", printable(s))
	}
	return f, nil
}

func (f *Fault) set(key, value string) (err error) {
	switch key {
	case "path":
		if f.Path = value; !strings.HasPrefix(value, "/") {
			return fmt.Errorf("path %q does not begin with /", printable(value))
		}
	case "method":
		f.Method = strings.ToUpper(value)
	case "status":
		f.Status, err = within(value, 200, 599)
	case "times":
		f.Times, err = within(value, 1, 1_000_000)
	case "latency":
		if f.Latency, err = time.ParseDuration(value); err != nil || f.Latency < 0 || f.Latency > 10*time.Minute {
			return fmt.Errorf("latency %q is not a time up to 10m, such as 200ms", printable(value))
		}
	case "reset":
		f.Reset = value == "" || value == "true"
	case "cut":
		var n int
		n, err = within(value, 1, 1<<30)
		f.Cut = int64(n)
	default:
		return fmt.Errorf("%q is not known; there are path, method, status, times, latency, reset and cut", printable(key))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func within(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not a number from %d to %d", printable(s), least, most)
	}
	return n, nil
}

// String is what ParseFault reads.
func (f Fault) String() string {
	var words []string
	add := func(on bool, format string, v ...any) {
		if on {
			words = append(words, fmt.Sprintf(format, v...))
		}
	}
	add(f.Path != "", "path=%s", f.Path)
	add(f.Method != "", "method=%s", f.Method)
	add(f.Status != 0, "status=%d", f.Status)
	add(f.Times != 0, "times=%d", f.Times)
	add(f.Latency != 0, "latency=%s", f.Latency)
	add(f.Reset, "reset")
	add(f.Cut != 0, "cut=%d", f.Cut)
	return strings.Join(words, " ")
}

// Faults are the faults in force. The zero value has none; it is safe for concurrent use.
type Faults struct {
	mu   sync.Mutex
	list []Fault
}

// Add puts a fault in force, behind those that are.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fault)
}

// Clear takes all faults away.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// List returns the faults in force; Times is what is left of them.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}

// match takes one time of the first fault that fits.
func (f *Faults) match(method, path string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.list {
		if !strings.HasPrefix(path, fault.Path) || fault.Method != "" && fault.Method != method {
			continue
		}
		switch {
		case fault.Times == 1:
			f.list = slices.Delete(f.list, i, i+1)
		case fault.Times > 1:
			f.list[i].Times--
		}
		return fault, true
	}
	return Fault{}, false
}

// faulter injects faults. It stands outside the retries: a 429 asked for is a 429 seen.
type faulter struct {
	p    *Proxy
	next http.RoundTripper
}

// RoundTrip answers with a fault that fits, or passes the request on.
func (t *faulter) RoundTrip(req *http.Request) (*http.Response, error) {
	to, err := t.p.destination(req)
	if err != nil || to.kind == kindLogin || minting(req) {
		return t.next.RoundTrip(req)
	}
	path := strings.TrimPrefix(req.URL.Path, "/stores/"+to.store)
	fault, ok := t.p.o.Faults.match(req.Method, path)
	if !ok {
		return t.next.RoundTrip(req)
	}
	if err := sleep(req.Context(), fault.Latency); err != nil {
		closeBody(req)
		return nil, err
	}
	res, err := t.inject(req, path, fault)
	if err != nil {
		return nil, err
	}
	res.Header.Set(headerFault, printable(fault.String()))
	if fault.Cut > 0 {
		res.Body = &cutBody{ReadCloser: res.Body, left: fault.Cut}
	}
	return res, nil
}

func (t *faulter) inject(req *http.Request, path string, fault Fault) (*http.Response, error) {
	if !fault.Reset && fault.Status == 0 {
		return t.next.RoundTrip(req)
	}
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(req.Body, 1<<20)) // as a server would have read it
		req.Body.Close()
	}
	if fault.Reset {
		return nil, errReset
	}
	h, body := faultAnswer(path, fault.Status)
	return canned(req, fault.Status, h, body), nil
}

// cutBody breaks off.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// faultAnswer is an error as BigCommerce words it: an array for V2, a problem document for V3, and
// the rate headers of a window of 30 seconds.
func faultAnswer(path string, status int) (http.Header, []byte) {
	h := http.Header{"Content-Type": {"application/json"}}
	left := "149"
	if status == http.StatusTooManyRequests {
		left = "0"
		h.Set("X-Retry-After", "15")
	}
	h.Set("X-Rate-Limit-Requests-Quota", "150")
	h.Set("X-Rate-Limit-Requests-Left", left)
	h.Set("X-Rate-Limit-Time-Window-Ms", "30000")
	h.Set("X-Rate-Limit-Time-Reset-Ms", "15000")
	title := faultTitle(status)
	var b bytes.Buffer
	switch {
	case status == http.StatusNoContent:
	case strings.HasPrefix(path, "/v2/"):
		fmt.Fprintf(&b, `[{"status":%d,"message":%q}]`, status, title)
	default:
		h.Set("Content-Type", "application/problem+json")
		fmt.Fprintf(&b, `{"status":%d,"title":%q,"type":"https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes","errors":{}}`, status, title)
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	return h, b.Bytes()
}

func faultTitle(status int) string {
	switch status {
	case http.StatusUnauthorized:
		//nolint:misspell // BigCommerce's words
		return "Unauthorized - the v3 Auth client ID or token in the request are not a valid combination for this store."
	case http.StatusForbidden:
		return "You don't have a required scope to access the endpoint"
	case http.StatusNotFound:
		return "The resource at that URL is not found."
	case http.StatusTooManyRequests:
		return "Too many requests"
	}
	return http.StatusText(status)
}
