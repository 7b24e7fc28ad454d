package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// CallRequest is an API call to be made through the API door.
type CallRequest struct {
	Store   string      `json:"store,omitempty"` // hash or alias; "" is the current one
	Method  string      `json:"method"`
	Path    string      `json:"path"` // /v3/…, /v2/…, /graphql, /storefront/graphql
	Query   string      `json:"query,omitempty"`
	Headers http.Header `json:"headers,omitempty"`
	Body    string      `json:"body,omitempty"`
	Confirm bool        `json:"confirm,omitempty"` // may change the store
	Of      int64       `json:"-"`                 // the call that this one repeats
}

// Called is the answer to a call.
type Called struct {
	ID       int64       `json:"id"` // its exchange, 0 when it is not in the journal yet
	Status   int         `json:"status"`
	MS       float64     `json:"ms"`
	Headers  http.Header `json:"headers"`
	Body     string      `json:"body"`
	Encoding string      `json:"encoding"`
	Cut      bool        `json:"cut,omitempty"`
	Size     int64       `json:"size"`
	Hint     string      `json:"hint,omitempty"`
	Error    string      `json:"error,omitempty"` // bcdev's own code, when the answer is not BigCommerce's
	HTML     string      `json:"html,omitempty"`  // the body as the page shows it
	Response []byte      `json:"-"`               // the body's bytes
}

// withheld are headers that are bcdev's to set, or that belong to another conversation.
var withheld = []string{"X-Auth-Token", "X-Auth-Client", "Host", "Cookie", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade"}

// harmless are the methods that change nothing (RFC 9110, 9.2.1).
func harmless(method string) bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, method)
}

func (w *window) serveCall(rw http.ResponseWriter, r *http.Request) {
	var c CallRequest
	if err := readJSON(rw, r, &c); err != nil {
		fail(rw, r, err)
		return
	}
	w.answerCall(rw, r, c)
}

func (w *window) answerCall(rw http.ResponseWriter, r *http.Request, c CallRequest) {
	ctx, done, err := w.act(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	defer done()
	called, err := w.call(ctx, c)
	if err != nil {
		fail(rw, r, err)
		return
	}
	if r.URL.Query().Get("rows") != "" {
		called.HTML = w.pages.answer(called)
	}
	writeJSON(rw, http.StatusOK, called)
}

// call checks a call and makes it.
func (w *window) call(ctx context.Context, c CallRequest) (Called, error) {
	c.Method = strings.ToUpper(strings.TrimSpace(c.Method))
	if err := c.check(); err != nil {
		return Called{}, err
	}
	writes := !harmless(c.Method)
	if strings.HasSuffix(c.Path, "/graphql") {
		writes = hasMutation(c.Body)
	}
	switch {
	case w.o.Call == nil:
		return Called{}, notHere("calling the API")
	case writes && w.o.ReadOnly != nil && w.o.ReadOnly(c.Store):
		return Called{}, refuse(http.StatusForbidden, "read_only", "calls that could change the store are refused", "start bcdev without --read-only (proxy.read_only)")
	case writes && !c.Confirm:
		return Called{}, refuse(http.StatusConflict, "confirm", c.Method+" may change the store", `confirm it: send "confirm": true`)
	}
	called, err := w.o.Call(ctx, c)
	if err != nil {
		return called, err
	}
	if called.Error != "" {
		return called, refusedAtDoor(called)
	}
	called.Body, called.Encoding = textOrBase64(called.Response)
	called.Headers = redact.Header(called.Headers)
	return called, nil
}

// refusedAtDoor passes on what the API door itself says, which is no answer of BigCommerce.
func refusedAtDoor(c Called) error {
	var said struct {
		Error struct{ Message, Hint string } `json:"error"`
	}
	if json.Unmarshal(c.Response, &said) != nil || said.Error.Message == "" {
		said.Error.Message = "the API door refused the call"
	}
	return refuse(c.Status, c.Error, said.Error.Message, said.Error.Hint)
}

func (c CallRequest) check() error {
	switch {
	case c.Method == "" || strings.ContainsFunc(c.Method, func(r rune) bool { return r < 'A' || r > 'Z' }):
		return refuse(http.StatusBadRequest, "bad_method", "the method is no word", "GET, POST, PUT, PATCH or DELETE")
	case !apiPath(c.Path):
		return refuse(http.StatusBadRequest, "bad_path", "the path is none of the API", "it begins with /v3/ or /v2/, or is /graphql or /storefront/graphql")
	case strings.ContainsFunc(c.Path+c.Query, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }):
		return refuse(http.StatusBadRequest, "bad_path", "path or query hold characters that must be escaped", "write a space as %20")
	case strings.Contains(c.Path, "?"):
		return refuse(http.StatusBadRequest, "bad_path", "the query has a field of its own", "put what stands behind the question mark in query")
	}
	for name, values := range c.Headers {
		if slices.ContainsFunc(withheld, func(w string) bool { return strings.EqualFold(w, strings.TrimSpace(name)) }) {
			return refuse(http.StatusBadRequest, "bad_header", cell(name)+" is not set by hand", "leave it out: bcdev adds the credentials of the store by itself")
		}
		if !isToken(name) || slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "\r\n\x00") }) {
			return refuse(http.StatusBadRequest, "bad_header", cell(name)+" is no header field", "one line for each field, name: value")
		}
	}
	return nil
}

// apiPath reports a path that the API door would bring to the API of a store.
func apiPath(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	if rest, ok := strings.CutPrefix(path, "/stores/"); ok {
		_, rest, ok = strings.Cut(rest, "/")
		path = "/" + rest
		if !ok {
			return false
		}
	}
	return strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/v3/") || path == "/graphql" || path == "/storefront/graphql"
}

// isToken reports the name of a header field (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// callOf is a captured API call as a call to be made again, with the changes that were asked for.
func callOf(e capture.Exchange, req ReplayRequest) (CallRequest, error) {
	if _, edited := req.Set["body"]; !edited && (e.Request.Truncated || e.Request.Dropped) {
		return CallRequest{}, capture.ErrTruncated
	}
	target := e.Target
	if host := originHost(target); host != "" {
		target = target[strings.Index(target, host)+len(host):]
	}
	path, query, _ := strings.Cut(target, "?")
	c := CallRequest{Method: e.Method, Path: path, Query: query, Body: string(e.Request.Body), Headers: http.Header{}, Confirm: req.Confirm, Of: e.ID}
	c.Store = e.Store
	if rest, ok := strings.CutPrefix(c.Path, "/stores/"+e.Store+"/"); ok && e.Store != "" {
		c.Path = "/" + rest
	}
	if c.Path == "/graphql" && apiOf(e) == "storefront" {
		c.Path = "/storefront/graphql"
	}
	for _, name := range []string{"Accept", "Content-Type", "Content-Encoding"} {
		if v := e.Request.Header.Get(name); v != "" {
			c.Headers.Set(name, v)
		}
	}
	for key, value := range req.Set {
		if err := c.set(key, value); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *CallRequest) set(key, value string) error {
	name, isHeader := strings.CutPrefix(key, "header.")
	switch {
	case key == "method":
		c.Method = value
	case key == "path":
		path, query, found := strings.Cut(value, "?")
		if c.Path = path; found {
			c.Query = query
		}
	case key == "query":
		c.Query = value
	case key == "body":
		c.Body = value
	case isHeader:
		c.Headers.Set(name, value)
	default:
		return refuse(http.StatusBadRequest, "bad_set", fmt.Sprintf("%q cannot be set for an API call", clipText(key, 60)), "method, path, query, body, header.NAME")
	}
	return nil
}
