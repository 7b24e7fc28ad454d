package capture

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"bcdev/internal/redact"
)

// Headers by which the rooms behind tell the recorder something.
const (
	headerHint  = "Bcdev-Hint"  // stays: the client may read it, too
	headerMark  = "Bcdev-Mark"  // a comma list; taken away
	headerError = "Bcdev-Error" // the code of an answer of our own; stays
)

// RoundTripper records what next is asked, written in batches behind the response. It never
// delays a stream and never changes a byte. The header Bcdev-Hint of a response becomes the hint,
// Bcdev-Error the error; Bcdev-Mark becomes marks and is taken away.
func (j *Journal) RoundTripper(d Door, next http.RoundTripper) http.RoundTripper {
	return &roundTripper{j: j, door: d, next: next}
}

type roundTripper struct {
	j    *Journal
	door Door
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	n := rt.j.newNote(req.Context(), rt.door, req)
	n.always = true
	n.ask(req)
	out := req.WithContext(&n.ctx)
	if !n.reqDone {
		n.reqBody.ReadCloser = req.Body
		out.Body = &n.reqBody
		if req.GetBody != nil {
			out.GetBody = n.again(req.GetBody)
		}
	}
	resp, err := rt.next.RoundTrip(out)
	if err != nil {
		n.finish(reason(err), nil)
		return resp, err
	}
	n.answer(resp)
	return resp, nil
}

// ask notes the facts of a request that goes out.
func (n *Note) ask(req *http.Request) {
	n.ex.Kind, n.ex.Store = Call, storeOf(req.URL.Path)
	if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/oauth2/token") {
		n.ex.Kind = Token
	}
	n.ex.Host = req.Host
	if n.ex.Host == "" {
		n.ex.Host = req.URL.Host
	}
	n.ex.Target, n.ex.Remote = targetOf(req)
	n.ex.Request.Header = redact.Header(req.Header)
}

// again starts the record of the body anew, for a transport that has to send it twice.
func (n *Note) again(body func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		b, err := body()
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.finished {
			n.request.restart()
			n.reqDone = false
		}
		return &requestBody{ReadCloser: b, note: n}, nil
	}
}

// answer notes the response's header and watches its body.
func (n *Note) answer(resp *http.Response) {
	n.hints(resp.Header)
	n.answered(resp.StatusCode, redact.Header(resp.Header), resp.ContentLength)
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.Body == nil || resp.Body == http.NoBody {
		n.finish("", nil)
		return
	}
	n.respBody.ReadCloser, n.respBody.resp = resp.Body, resp
	resp.Body = &n.respBody
}

func (n *Note) hints(h http.Header) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if hint := h.Get(headerHint); hint != "" {
		n.ex.Hint = hint
	}
	if code := h.Get(headerError); code != "" {
		n.ex.Err = code
	}
	marks, ok := h[headerMark]
	if !ok {
		return
	}
	delete(h, headerMark)
	for _, list := range marks {
		for mark := range strings.SplitSeq(list, ",") {
			if mark = strings.TrimSpace(mark); mark != "" {
				n.ex.Marks = append(n.ex.Marks, mark)
			}
		}
	}
}

// responseBody passes a response's body on and ends the exchange with it.
type responseBody struct {
	io.ReadCloser
	note *Note
	resp *http.Response
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.note.received(p[:max(n, 0)])
	if err != nil {
		b.note.finish(reason(err), redact.Header(b.resp.Trailer))
	}
	return n, err
}

// Close implements [io.Closer]. A body closed before its end was not wanted whole.
func (b *responseBody) Close() error {
	b.note.closed(b.resp)
	return b.ReadCloser.Close()
}

// closed finishes a response whose end was not read: complete when all that was announced came.
func (n *Note) closed(resp *http.Response) {
	n.mu.Lock()
	over, whole := n.finished, resp.ContentLength == n.response.size || resp.Request != nil && resp.Request.Method == http.MethodHead
	n.mu.Unlock()
	switch {
	case over:
	case whole:
		n.finish("", nil)
	case n.ctx.Err() != nil:
		n.finish(reason(n.ctx.Err()), nil)
	default:
		n.finish("closed before its end", nil)
	}
}

// reason says why an exchange broke off; its end is no reason.
func reason(err error) string {
	switch {
	case err == io.EOF: //nolint:errorlint // readers return io.EOF itself
		return ""
	case errors.Is(err, context.Canceled):
		return "the client went away"
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	}
	return err.Error()
}
