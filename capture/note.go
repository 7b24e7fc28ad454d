package capture

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Note is the exchange under way, open to the rooms between recorder and answer. A nil *Note
// takes every call and does nothing, so rooms need not ask whether they are recorded.
//
// It is also everything the recorder needs for one exchange: context, body readers and buffers
// in a single piece of memory.
type Note struct {
	j      *Journal
	ctx    noteContext
	start  time.Time
	always bool // stored also when nobody commits it
	length int64
	id     atomic.Int64
	row    int64 // its ID within a transaction; the writer's alone

	mu       sync.Mutex
	ex       Exchange
	base     *Exchange // facts as committed
	request  tee
	response tee
	reqDone  bool // the request's body was read to its end
	attempts []entry
	in       entry // the writer's
	stored   bool  // committed, or on its way
	queued   bool
	finished bool

	reqBody  requestBody
	respBody responseBody
}

// noteContext is a context that knows its note.
type noteContext struct {
	context.Context
	note *Note
}

type noteKey struct{}

// Value implements [context.Context].
func (c *noteContext) Value(key any) any {
	if key == (noteKey{}) {
		return c.note
	}
	return c.Context.Value(key)
}

// NoteOf returns the note of the exchange that ctx belongs to, or nil.
func NoteOf(ctx context.Context) *Note {
	n, _ := ctx.Value(noteKey{}).(*Note)
	return n
}

func (j *Journal) newNote(ctx context.Context, d Door, r *http.Request) *Note {
	n := &Note{j: j, start: time.Now(), length: r.ContentLength}
	n.reqDone = r.Body == nil || r.Body == http.NoBody
	n.ctx = noteContext{Context: ctx, note: n}
	n.reqBody.note, n.respBody.note = n, n
	limit := int(j.o.BodyLimit)
	n.request = tee{pool: &j.buffers, limit: limit, expect: announced(r.ContentLength, limit)}
	n.response = tee{pool: &j.buffers, limit: limit}
	n.ex.Door, n.ex.At, n.ex.Method, n.ex.Proto = d, n.start, r.Method, r.Proto
	return n
}

func announced(length int64, limit int) int {
	return int(max(0, min(length, int64(limit))))
}

// Set changes facts of the exchange: kind, store, topic, hint, marks, detail.
func (n *Note) Set(change func(*Exchange)) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.finished {
		change(&n.ex)
		return
	}
	if n.stored {
		n.j.push(op{run: func(t *txn) error { return t.amend(n.row, change) }})
	}
}

// Commit stores the request durably (fsync) and returns its ID; the response follows by itself.
// With a non-empty queue key a delivery [Job] is stored in the same transaction. The request's
// body must have been read to its end. A second Commit returns the same ID. When ctx ends the
// exchange may still be stored.
func (n *Note) Commit(ctx context.Context, queueKey string) (int64, error) {
	if n == nil {
		return 0, nil
	}
	n.mu.Lock()
	if n.finished {
		n.mu.Unlock()
		return 0, errors.New("storing an exchange: it is over")
	}
	if n.stored && (queueKey == "" || n.queued) {
		n.mu.Unlock()
		return n.id.Load(), nil
	}
	o := n.commitOp(queueKey)
	n.stored, n.queued = true, n.queued || queueKey != ""
	n.mu.Unlock()

	if err := n.j.do(ctx, o); err != nil {
		n.takeBack(ctx)
		return 0, err
	}
	return n.id.Load(), nil
}

// takeBack undoes the marks of a commit that failed. When only the wait ended, it may yet succeed.
func (n *Note) takeBack(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stored, n.queued = n.id.Load() != 0, false
}

// commitOp stores a copy, so that the room may go on changing the note.
func (n *Note) commitOp(queueKey string) op {
	if n.stored {
		return op{durable: true, run: func(t *txn) error { return t.addJob(n.row, queueKey) }}
	}
	base := n.ex
	base.Marks = slices.Clone(n.ex.Marks)
	n.base = &base
	e := n.ex
	e.Marks = slices.Clone(n.ex.Marks)
	e.Request.Header = n.ex.Request.Header.Clone()
	n.requestMessage(&e.Request)
	e.Request.Body = slices.Clone(e.Request.Body)
	in := &entry{e: &e}
	return op{durable: true, run: func(t *txn) (err error) {
		if n.row, err = t.add(in); err != nil {
			return err
		}
		t.notes = append(t.notes, n)
		if queueKey == "" {
			return nil
		}
		return t.addJob(n.row, queueKey)
	}}
}

// ID is the exchange's ID once it is committed, else 0.
func (n *Note) ID() int64 {
	if n == nil {
		return 0
	}
	return n.id.Load()
}

// Attempt stores a further exchange linked to this one (a retried API call). Its bodies must not
// be changed afterwards.
func (n *Note) Attempt(e Exchange) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.finished {
		n.attempts = append(n.attempts, entry{e: &e})
		return
	}
	if n.stored {
		in := &entry{e: &e}
		n.j.push(op{size: int64(len(e.Request.Body) + len(e.Response.Body)), run: func(t *txn) error {
			e.Of = n.row
			_, err := t.add(in)
			return err
		}})
	}
}

func (n *Note) requestMessage(m *Message) {
	n.request.message(m)
	if !n.reqDone {
		m.Truncated = true
	}
}

// sent records bytes of the request, end its end.
func (n *Note) sent(p []byte, end bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.finished {
		return
	}
	n.request.write(p)
	n.reqDone = n.reqDone || end || n.request.size == n.length
}

// finish hands the exchange to the writer, once.
func (n *Note) finish(why string, trailer http.Header) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.finished {
		return
	}
	n.finished = true
	if !n.stored && !n.always {
		n.release()
		return
	}
	n.ex.Took = time.Since(n.start)
	if why != "" {
		n.ex.Err = why
	}
	n.ex.Response.Trailer = trailer
	insert := !n.stored
	n.stored = true
	n.j.record(n, insert)
}

// release gives the buffers back.
func (n *Note) release() {
	n.request.release()
	n.response.release()
}

// answered records the response's header, a copy with its secrets masked.
func (n *Note) answered(status int, masked http.Header, length int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ex.First = time.Since(n.start)
	n.ex.Status, n.ex.Response.Header = status, masked
	n.response.expect = announced(length, n.response.limit)
}

// received records bytes of the response.
func (n *Note) received(p []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.finished {
		n.response.write(p)
	}
}
