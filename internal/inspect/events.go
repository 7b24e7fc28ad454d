package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"bcdev/capture"
)

const (
	batchEvery   = 50 * time.Millisecond // events are gathered for so long
	statusEvery  = time.Second           // the status is looked at so often
	streamWrite  = 10 * time.Second      // a reader that takes nothing for so long is let go
	catchUpLimit = 500                   // exchanges a reader who comes back is told one by one
	watchRoom    = 256                   // what the journal keeps for a slow watcher
)

// stream is one reader of the events.
type stream struct {
	w       *window
	rw      http.ResponseWriter
	control *http.ResponseController
	query   capture.Query
	filter  string
	rows    bool  // with the row of the page
	last    int64 // the newest exchange told, or passed over
	moved   bool  // last is to be told, though nothing else is
	status  []byte
	out     bytes.Buffer
}

// serveEvents is the live list: an event for every exchange that is stored or changes, its ID the
// exchange's; "status" when something about bcdev changes; "reset" when more was missed than is
// told one by one. A comment is the sign of life.
func (w *window) serveEvents(rw http.ResponseWriter, r *http.Request) {
	select {
	case w.streams <- struct{}{}:
		defer func() { <-w.streams }()
	default:
		fail(rw, r, refuse(http.StatusServiceUnavailable, "too_many_streams", "too many event streams are open", "close some tabs"))
		return
	}
	q, err := w.queryOf(r.URL.Query())
	if err != nil {
		fail(rw, r, err)
		return
	}
	after := q.After
	q.Before, q.After = 0, 0
	if text := r.Header.Get("Last-Event-ID"); text != "" {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			after = n
		}
	}
	s := &stream{
		w: w, rw: rw, control: http.NewResponseController(rw), query: q,
		filter: r.URL.Query().Get("q"), rows: r.URL.Query().Get("rows") != "",
	}
	s.serve(r.Context(), after, r.Header.Get("Last-Event-ID") != "" || r.URL.Query().Has("after"))
}

func (s *stream) serve(ctx context.Context, after int64, resume bool) {
	events := s.w.o.Journal.Watch(ctx) // before anything is announced: nothing may fall between
	h := s.rw.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	s.rw.WriteHeader(http.StatusOK)
	s.out.WriteString("retry: 1000\n\n")
	if resume {
		s.catchUp(ctx, after)
	} else if newest, err := s.w.o.Journal.Find(ctx, capture.Query{Limit: 1}); err == nil && len(newest) > 0 {
		s.last = newest[0].ID
	}
	s.tellStatus()
	if !s.flush() {
		return
	}
	beat, look := time.NewTicker(s.w.o.Heartbeat), time.NewTicker(statusEvery)
	defer beat.Stop()
	defer look.Stop()
	for {
		select {
		case e, open := <-events:
			if !open {
				return
			}
			s.tell(ctx, s.gather(ctx, events, e), len(events) == 0)
		case <-beat.C:
			s.out.WriteString(": beat\n\n")
		case <-look.C:
			s.tellStatus()
		case <-ctx.Done():
			return
		}
		if !s.flush() {
			return
		}
	}
}

// gather waits a moment for more, so that a burst costs one write. Of an exchange that changes
// meanwhile the last state counts.
func (s *stream) gather(ctx context.Context, events <-chan capture.Exchange, first capture.Exchange) []capture.Exchange {
	batch := []capture.Exchange{first}
	at := map[int64]int{first.ID: 0}
	limit := time.NewTimer(batchEvery)
	defer limit.Stop()
	for len(batch) < watchRoom {
		select {
		case e, open := <-events:
			if !open {
				return batch
			}
			if i, known := at[e.ID]; known {
				batch[i] = e
				continue
			}
			at[e.ID] = len(batch)
			batch = append(batch, e)
		case <-limit.C:
			return batch
		case <-ctx.Done():
			return nil
		}
	}
	return batch
}

// tell writes a batch. When there are holes in it, the journal was faster than this reader, and
// what is missing is asked for.
func (s *stream) tell(ctx context.Context, batch []capture.Exchange, drained bool) {
	newest, fresh := s.last, int64(0)
	for _, e := range batch {
		if e.ID > s.last {
			fresh++
		}
		newest = max(newest, e.ID)
	}
	if newest-s.last > fresh && drained || len(batch) >= watchRoom {
		s.catchUp(ctx, s.last)
	}
	for _, e := range batch {
		s.exchange(e)
	}
	s.last = max(s.last, newest)
}

// catchUp tells what was stored after an exchange, oldest first.
func (s *stream) catchUp(ctx context.Context, after int64) {
	q := s.query
	q.After, q.Limit = after, catchUpLimit
	missed, err := s.w.o.Journal.Find(ctx, q)
	if err != nil {
		s.w.o.Logger.Debug("reading what an event stream missed", "error", err)
	}
	s.last = max(s.last, after)
	if err != nil || len(missed) == catchUpLimit {
		s.reset(missed)
		return
	}
	for i := len(missed) - 1; i >= 0; i-- {
		s.exchange(missed[i])
		s.last = max(s.last, missed[i].ID)
	}
}

// reset asks the reader to load the list anew.
func (s *stream) reset(missed []capture.Exchange) {
	if len(missed) > 0 {
		s.last = max(s.last, missed[0].ID)
	}
	fmt.Fprintf(&s.out, "id: %d\nevent: reset\ndata: {}\n\n", s.last)
}

// exchange writes one event. The ID never goes back: a change to an old exchange has none, so that
// a reader who resumes is not told everything since then again.
func (s *stream) exchange(e capture.Exchange) {
	if e.ID > s.last {
		s.last = e.ID
		if !matches(s.query, e) {
			s.moved = true
			return
		}
		fmt.Fprintf(&s.out, "id: %d\n", e.ID)
	}
	if !matches(s.query, e) {
		return
	}
	sum := summaryOf(e)
	if s.rows {
		sum.HTML = s.w.pages.row(rowOf(e, s.filter))
	}
	s.write("exchange", sum)
}

func (s *stream) tellStatus() {
	now := s.w.status()
	text, err := json.Marshal(statusKey(now))
	if err != nil || bytes.Equal(text, s.status) {
		return
	}
	s.status = text
	s.write("status", now)
}

// statusKey is a status without what changes by itself.
func statusKey(s Status) Status {
	s.Now, s.Link.BeatAge = time.Time{}, 0
	return s
}

func (s *stream) write(event string, v any) {
	text, err := json.Marshal(v) // one line: JSON escapes line feeds
	if err != nil {
		return
	}
	fmt.Fprintf(&s.out, "event: %s\ndata: %s\n\n", event, text)
}

// flush sends what was written; false means that the reader is gone.
func (s *stream) flush() bool {
	if s.moved { // an event without data moves the reader's place, and nothing more
		fmt.Fprintf(&s.out, "id: %d\n\n", s.last)
		s.moved = false
	}
	if s.out.Len() == 0 {
		return true
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // not every writer can
	_, err := s.rw.Write(s.out.Bytes())
	s.out.Reset()
	if s.out.Cap() > 1<<20 {
		s.out = bytes.Buffer{}
	}
	return err == nil && s.control.Flush() == nil
}
