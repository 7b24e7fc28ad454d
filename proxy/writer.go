package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
)

// buffers are for copying bodies. The engine's own copy would allocate one for every answer.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// writer is what the engine answers on. It flushes what upstream sends without a length, so that a
// stream arrives as it is made, and copies with pooled buffers.
type writer struct {
	http.ResponseWriter
	stream   bool                                       // flush behind every piece
	early    bool                                       // flush the header as well
	hijacked net.Conn                                   // the client's connection, once the engine has taken it
	take     func(conn net.Conn, ahead []byte) net.Conn // puts deadlines on it; nil: none
}

var (
	_ http.Flusher  = (*writer)(nil)
	_ http.Hijacker = (*writer)(nil)
	_ io.ReaderFrom = (*writer)(nil)
)

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header of a stream at once: the first event may be long in coming.
func (w *writer) WriteHeader(code int) {
	w.ResponseWriter.WriteHeader(code)
	if w.early {
		w.Flush()
	}
}

// Flush sends what has been written.
func (w *writer) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
		return
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // a writer that cannot flush loses nothing but time
}

// Hijack hands the client's connection out, with what the server had already read of it.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if w.take != nil {
		conn = w.take(conn, nil) // the engine itself replays what rw has read ahead
	}
	w.hijacked = conn
	return conn, rw, nil
}

// ReadFrom copies a body.
func (w *writer) ReadFrom(src io.Reader) (n int64, err error) {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		got, rerr := src.Read(buf[:])
		if got > 0 {
			wrote, werr := w.Write(buf[:got])
			n += int64(wrote)
			if werr != nil {
				return n, werr
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if w.stream && got > 0 {
			w.Flush()
		}
		if rerr != nil {
			return n, rerr
		}
	}
}
