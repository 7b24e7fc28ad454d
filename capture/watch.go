package capture

import (
	"context"
	"database/sql/driver"
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchBuffer = 256 // exchanges a watcher may be behind
	maxForeign  = 256 // exchanges of other processes told at once
)

// watchers are told what is stored and what changes.
type watchers struct {
	count atomic.Int64

	mu     sync.Mutex
	all    map[chan Exchange]struct{}
	closed bool
	stop   chan struct{}
	ended  chan struct{} // of follow, else nil
	link   *link         // of follow

	// What has been told; of the goroutine that polls.
	own       map[int64]bool // stored here since the last poll
	started   bool
	version   int64
	last, seq int64
}

func newWatchers() *watchers {
	return &watchers{all: map[chan Exchange]struct{}{}, stop: make(chan struct{}), own: map[int64]bool{}}
}

// Watch sends each exchange, without bodies, when it is stored and when it changes, also when
// another process wrote it. A slow watcher misses some, and asks Find again. The channel is
// closed when ctx ends or the journal is closed.
func (j *Journal) Watch(ctx context.Context) <-chan Exchange {
	c := make(chan Exchange, watchBuffer)
	w := j.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || ctx.Err() != nil {
		close(c)
		return c
	}
	w.all[c] = struct{}{}
	w.count.Add(1)
	context.AfterFunc(ctx, func() { w.remove(c) })
	return c
}

func (w *watchers) remove(c chan Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.all[c]; there {
		delete(w.all, c)
		w.count.Add(-1)
		close(c)
	}
}

func (w *watchers) any() bool { return w.count.Load() > 0 }

func (w *watchers) publish(es []Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range es {
		for c := range w.all {
			select {
			case c <- e:
			default:
			}
		}
	}
}

// publishOwn is publish for what this process stored.
func (w *watchers) publishOwn(es []Exchange) {
	for _, e := range es {
		w.own[e.ID] = true
	}
	w.publish(es)
}

func (w *watchers) close() error {
	w.mu.Lock()
	for c := range w.all {
		close(c)
	}
	clear(w.all)
	w.count.Store(0)
	w.closed = true
	w.mu.Unlock()
	close(w.stop)
	if w.ended == nil {
		return nil
	}
	<-w.ended
	return w.link.close()
}

// follow polls for a journal without a writer.
func (w *watchers) follow(t *txn) {
	w.ended, w.link = make(chan struct{}), t.link
	go func() {
		defer close(w.ended)
		poll := time.NewTicker(pollEvery)
		defer poll.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-poll.C:
				w.poll(t)
			}
		}
	}()
}

// poll tells what other processes stored and changed since the last poll. SQLite's data_version
// stays the same on a connection until another one writes, so most polls ask nothing more.
func (w *watchers) poll(t *txn) {
	if !w.any() {
		w.started = false
		return
	}
	version, err := t.link.number("PRAGMA data_version")
	if err != nil {
		return
	}
	if w.started && version == w.version {
		w.passOwn()
		return
	}
	var fresh []Exchange
	if w.started {
		fresh = w.foreign(t)
	}
	if w.catchUp(t) == nil {
		w.version, w.started = version, true
	}
	clear(w.own)
	w.publish(fresh)
}

// passOwn moves the mark over what was stored here.
func (w *watchers) passOwn() {
	for id := range w.own {
		w.last = max(w.last, id)
	}
	clear(w.own)
}

// foreign reads what was not stored here.
func (w *watchers) foreign(t *txn) (fresh []Exchange) {
	read := func(row []driver.Value) error {
		e, _, err := fromRow(row)
		if err == nil && !w.own[e.ID] {
			fresh = append(fresh, e)
		}
		return err
	}
	if t.link.query(read, selectRows+`WHERE e.id IN (
		SELECT id FROM (SELECT id FROM exchange WHERE id > ? ORDER BY id DESC LIMIT ?)
		UNION SELECT exchange FROM (SELECT exchange FROM change WHERE seq > ? ORDER BY seq DESC LIMIT ?))
		ORDER BY e.id`, w.last, int64(maxForeign), w.seq, int64(maxForeign)) != nil {
		return nil
	}
	return fresh
}

// catchUp sets the marks to the newest there is.
func (w *watchers) catchUp(t *txn) (err error) {
	if w.last, err = t.link.number("SELECT max(id) FROM exchange"); err != nil {
		return err
	}
	w.seq, err = t.link.number("SELECT max(seq) FROM change")
	return err
}
