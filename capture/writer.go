package capture

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	window     = 4 * time.Millisecond  // the longest an API exchange waits for company
	busyWindow = 20 * time.Millisecond // the same when the last batch was a large one
	largeBatch = 16                    // exchanges
	batchBytes = 1 << 20               // or until so much has come together
	maxQueue   = 100_000               // exchanges waiting; beyond, they are counted and forgotten
	pollEvery  = 250 * time.Millisecond
	tidyEvery  = time.Minute
)

// errClosed is told to those who come too late.
var errClosed = errors.New("the journal is closed")

// op is a piece of work for the writer: a note to record, or something to run in the
// transaction. Work that refuses (no such exchange) must not have written anything.
type op struct {
	note    *Note
	insert  bool
	run     func(t *txn) error
	durable bool       // synced to the disk before done hears of it
	done    chan error // nil: nobody waits
	size    int64
	err     error
}

// queue holds what waits for the writer.
type queue struct {
	mu     sync.Mutex
	ops    []op
	spare  []op
	bytes  int64
	closed bool
	wake   chan struct{} // something came
	hurry  chan struct{} // somebody waits, or there is enough
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
}

// push adds o; false when it was refused.
func (q *queue) push(o op) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || o.done == nil && len(q.ops) >= maxQueue {
		return false
	}
	q.ops = append(q.ops, o)
	q.bytes += o.size
	signal(q.wake)
	if o.done != nil || q.bytes >= batchBytes {
		signal(q.hurry)
	}
	return true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take returns what has come, in order.
func (q *queue) take() (ops []op, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ops, q.ops, q.bytes = q.ops, q.spare[:0], 0
	q.spare = nil
	select {
	case <-q.hurry:
	default:
	}
	return ops, q.closed
}

// giveBack lets the queue use ops again.
func (q *queue) giveBack(ops []op) {
	clear(ops)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = ops[:0]
}

func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ops) == 0 && !q.closed
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	signal(q.wake)
	signal(q.hurry)
}

// writer is the one goroutine that changes the file.
type writer struct {
	j       *Journal
	t       *txn
	dropped atomic.Int64
	failed  atomic.Int64
	ended   chan struct{}
}

func (w *writer) loop() {
	defer close(w.ended)
	tidy := time.NewTimer(time.Second)
	defer tidy.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	wait := window
	for {
		select {
		case <-w.j.queue.wake:
			w.gather(wait)
		case <-poll.C:
			w.j.watchers.poll(w.t)
			continue
		case <-tidy.C:
			tidy.Reset(tidyEvery)
			w.t.expire = true
			w.shrink()
		}
		ops, closed := w.j.queue.take()
		w.write(ops)
		wait = window
		if len(ops) >= largeBatch {
			wait = busyWindow
		}
		w.j.queue.giveBack(ops)
		w.tidyUp() // the last time, too: what is left behind is within the limits
		if closed {
			return
		}
	}
}

// gather waits for company, unless somebody waits for the result.
func (w *writer) gather(wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-w.j.queue.hurry:
	case <-t.C:
	}
}

// write stores ops in one transaction. When it fails for a reason that may lie in one of them,
// each gets a transaction of its own.
func (w *writer) write(ops []op) {
	if len(ops) == 0 {
		return
	}
	if w.t.masker.refresh() {
		w.t.forget()
	}
	err := w.t.do(ops)
	if err != nil && len(ops) > 1 && !diskFails(err) {
		for i := range ops {
			ops[i].err = w.t.do(ops[i : i+1])
			if ops[i].err != nil {
				w.lost(&ops[i], ops[i].err)
			}
		}
		err = nil
	}
	for i := range ops {
		if err != nil {
			ops[i].err = err
			w.lost(&ops[i], err)
		}
		w.settle(&ops[i])
	}
}

// lost counts what could not be stored, and says so once.
func (w *writer) lost(o *op, err error) {
	if o.done == nil {
		w.failed.Add(1)
	}
	w.log(slog.LevelDebug, "an exchange was not stored", err)
	w.j.notice(noticeFailed, &RecordError{Err: err})
}

func (w *writer) log(level slog.Level, what string, err error) {
	if w.j.o.Logger != nil {
		w.j.o.Logger.Log(context.Background(), level, what, "error", err)
	}
}

// settle gives back what o held and tells who waits for it.
func (w *writer) settle(o *op) {
	if o.note != nil {
		o.note.release()
	}
	if o.done != nil {
		o.done <- o.err
	}
}

// diskFails tells errors that would meet every transaction alike.
func diskFails(err error) bool {
	switch sqliteCode(err) {
	case codeFull, codeIOErr, codeReadOnly, codeBusy, codeCorrupt, codeNotADB, codeCantOpen:
		return true
	}
	return false
}

// RecordError tells that exchanges are not being stored. Traffic goes on.
type RecordError struct{ Err error }

func (e *RecordError) Error() string {
	if sqliteCode(e.Err) == codeFull {
		return "recording is off: the disk is full"
	}
	return "recording is off: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *RecordError) Hint() string {
	return "traffic goes on unrecorded; make room (bcdev prune) and it is recorded again"
}

// push leaves o to the writer; what cannot be taken is counted.
func (j *Journal) push(o op) {
	if j.w == nil || !j.queue.push(o) {
		j.refuse(o)
	}
}

func (j *Journal) refuse(o op) {
	if o.note != nil {
		o.note.release()
	}
	if j.w != nil {
		j.w.failed.Add(1)
	}
}

// record leaves a finished note to the writer.
func (j *Journal) record(n *Note, insert bool) {
	for _, t := range []*tee{&n.request, &n.response} {
		if t.dropped && j.w != nil {
			j.w.dropped.Add(1)
			j.notice(noticeDropped, errDropped)
		}
	}
	j.push(op{note: n, insert: insert, size: 1024 + int64(len(n.request.kept())+len(n.response.kept()))})
}

// do runs o and waits for the transaction it was in.
func (j *Journal) do(ctx context.Context, o op) error {
	if j.w == nil {
		return ErrReadOnly
	}
	o.done = make(chan error, 1)
	if !j.queue.push(o) {
		return errClosed
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
