package capture

import (
	"io"
	"net/http"

	"bcdev/internal/redact"
)

// aborted is noted when a handler gave up in the middle of its answer.
const aborted = "the answer broke off"

// Handler records what next answers. Nothing is stored unless next commits the exchange with
// [Note.Commit]; the response is added behind it.
func (j *Journal) Handler(d Door, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := j.newNote(r.Context(), d, r)
		n.request.force = true // what is committed may have to be delivered
		n.ex.Kind = Other
		n.ex.Target, n.ex.Host, n.ex.Remote = r.RequestURI, r.Host, r.RemoteAddr
		n.ex.Request.Header = redact.Header(r.Header)
		r = r.WithContext(&n.ctx)
		if !n.reqDone {
			n.reqBody.ReadCloser = r.Body
			r.Body = &n.reqBody
		}
		rw := &responseWriter{ResponseWriter: w, note: n, bodyless: r.Method == http.MethodHead}
		why := aborted
		defer func() {
			rw.end(why, n)
		}()
		next.ServeHTTP(rw, r)
		why = ""
	})
}

// requestBody passes a request's body on and keeps what passes.
type requestBody struct {
	io.ReadCloser
	note *Note
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.note.sent(p[:n], err == io.EOF) //nolint:errorlint // readers return io.EOF itself
	return n, err
}

// responseWriter keeps what is answered. Hijack and deadlines reach the connection through
// [http.ResponseController] and Unwrap.
type responseWriter struct {
	http.ResponseWriter
	note     *Note
	wrote    bool
	bodyless bool // an answer to HEAD
}

// Unwrap serves [http.ResponseController].
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *responseWriter) WriteHeader(status int) {
	if !w.wrote && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.head(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) head(status int) {
	w.wrote = true
	w.note.answered(status, redact.Header(w.Header()), -1)
}

// Write implements [io.Writer].
func (w *responseWriter) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.keep(p[:max(n, 0)])
	return n, err
}

func (w *responseWriter) begin() {
	if !w.wrote {
		w.head(http.StatusOK)
	}
}

func (w *responseWriter) keep(p []byte) {
	if !w.bodyless {
		w.note.received(p)
	}
}

// ReadFrom lets the server's pooled buffers do the copying.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	kept := readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		w.keep(p[:max(n, 0)])
		return n, err
	})
	if rf, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return rf.ReadFrom(kept)
	}
	return io.Copy(struct{ io.Writer }{w.ResponseWriter}, kept)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Flush implements [http.Flusher].
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError serves [http.ResponseController].
func (w *responseWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// end finishes the note; a handler that wrote nothing has answered 200.
func (w *responseWriter) end(why string, n *Note) {
	if why == "" {
		w.begin()
	}
	n.finish(why, nil)
}
