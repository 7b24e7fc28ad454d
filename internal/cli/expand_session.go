package cli

import (
	"context"
	"net/http"
	"sync"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

const (
	expandWaiting = 256 // resources that wait to be fetched; what comes on top is not expanded
	expandAtOnce  = 2
)

// expansions are the resources that wait to be fetched while bcdev is up: each once, for the
// latest event that speaks of it, so that a burst of events does not spend the store's quota.
type expansions struct {
	mu     sync.Mutex
	latest map[string]int64 // resource to event
	order  chan string
}

func newExpansions() *expansions {
	return &expansions{latest: map[string]int64{}, order: make(chan string, expandWaiting)}
}

// add never waits.
func (q *expansions) add(resource string, event int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, waits := q.latest[resource]; waits {
		q.latest[resource] = event
		return
	}
	select {
	case q.order <- resource:
		q.latest[resource] = event
	default:
	}
}

func (q *expansions) take(ctx context.Context) (event int64, ok bool) {
	select {
	case resource := <-q.order:
		q.mu.Lock()
		defer q.mu.Unlock()
		event = q.latest[resource]
		delete(q.latest, resource)
		return event, true
	case <-ctx.Done():
		return 0, false
	}
}

// noteEvent has a webhook expanded, if hooks.expand says so. Only what BigCommerce signed is worth
// a call.
func (s *session) noteEvent(e capture.Exchange, w bigcommerce.Webhook, signature error) {
	if !s.cfg.Hooks.Expand || signature != nil || e.ID == 0 {
		return
	}
	if kind, id, path := w.Resource(); path != "" {
		s.expansions.add(w.Store+" "+kind+" "+id+" "+path, e.ID)
	}
}

// expandEvents fetches what events are about until ctx ends.
func (s *session) expandEvents(ctx context.Context) {
	x, err := s.expander()
	if err != nil {
		s.con.Problem("expand", err)
		return
	}
	var workers sync.WaitGroup
	for range expandAtOnce {
		workers.Go(func() {
			for {
				event, ok := s.expansions.take(ctx)
				if !ok {
					return
				}
				s.expandEvent(ctx, x, event)
			}
		})
	}
	workers.Wait()
}

func (s *session) expandEvent(ctx context.Context, x *expander, event int64) {
	out, err := x.expand(ctx, event)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.con.Problem("expand", err)
	case out.Status != http.StatusOK:
		s.con.Problem("expand", failed(out.Hint, "fetching %s %s for #%d: BigCommerce answered %d", out.Resource, out.Which, out.Of, out.Status))
	default:
		s.tellExpansion(out)
	}
}
