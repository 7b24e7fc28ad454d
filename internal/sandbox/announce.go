package sandbox

import (
	"context"
	"fmt"
	"time"
)

const exceptionPause = 10 * time.Minute // between two 90001 of one destination

// announce sends an event to the hooks that listen and does not wait.
func (s *Sandbox) announce(e event) {
	s.courier.post(e, s.hooks.listeners(e, s.clock.Now()))
}

// post makes a delivery for each hook.
func (c *courier) post(e event, hooks []hook) []*delivery {
	now := c.sandbox.clock.Now()
	body, err := e.body(now)
	if err != nil {
		c.sandbox.log.Error("webhook not sent", "scope", e.scope, "error", err)
		return nil
	}
	var made []*delivery
	for _, h := range hooks {
		d := &delivery{
			id: "msg_" + inventWord(27), hook: h, event: e, body: body, due: now, first: make(chan Attempt, 1),
		}
		if c.enqueue(d) {
			made = append(made, d)
		} else {
			c.sandbox.log.Warn("webhook dropped: too many wait", "scope", e.scope)
		}
	}
	return made
}

// fired is what the control face says of an event.
type fired struct {
	Scope      string    `json:"scope"`
	Store      string    `json:"store"`
	Deliveries []Attempt `json:"deliveries"` // the first attempts
}

// fireAndWait announces an event and waits for the first attempts. An event nobody listens to
// goes to the given destination, or to the registered webhooks URL.
func (s *Sandbox) fireAndWait(ctx context.Context, e event, destination string) (any, error) {
	hooks := s.hooks.listeners(e, s.clock.Now())
	if len(hooks) == 0 && destination == "" {
		destination = s.registered().Webhooks
	}
	if destination != "" {
		hooks = []hook{{StoreHash: e.store, ClientID: s.app.ClientID, Scope: e.scope, Destination: destination}}
	}
	result := fired{Scope: e.scope, Store: e.store, Deliveries: []Attempt{}}
	for _, d := range s.courier.post(e, hooks) {
		select {
		case a := <-d.first:
			result.Deliveries = append(result.Deliveries, a)
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the first delivery: %w", ctx.Err())
		case <-s.courier.ctx.Done():
			return nil, fmt.Errorf("waiting for the first delivery: the sandbox is closing")
		}
	}
	return result, nil
}

// except fires store/hook/deliveryException for what happened to a delivery (BigCommerce docs,
// Webhooks > Events). Trouble with such an event's own delivery fires none.
func (c *courier) except(d *delivery, h hook, code int, message string, now time.Time) {
	if h.ID == 0 || d.event.scope == exceptionScope {
		return
	}
	if code == 90001 && !c.mayExcept(h.Destination, now) {
		return
	}
	c.sandbox.announce(event{store: h.StoreHash, scope: exceptionScope, data: map[string]any{
		"type": "webhook", "id": h.ID, "error_code": code, "message": message,
	}})
}

// mayExcept allows one 90001 in ten minutes for a destination.
func (c *courier) mayExcept(destination string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.excepted[destination]; ok && now.Sub(last) < exceptionPause {
		return false
	}
	if len(c.excepted) >= maxDomains {
		clear(c.excepted)
	}
	c.excepted[destination] = now
	return true
}

// advance plays the time up to t: it goes from one due delivery to the next, and waits for
// each before time moves on.
func (c *courier) advance(ctx context.Context, t time.Time) error {
	for range maxSteps {
		if err := c.settle(ctx); err != nil {
			return err
		}
		next, ok := c.nextDue()
		if !ok || next.After(t) {
			c.sandbox.clock.jump(t)
			c.wake()
			return c.settle(ctx)
		}
		c.sandbox.clock.jump(next)
	}
	return fmt.Errorf("moving the clock: more than %d deliveries fell due on the way", maxSteps)
}

// wake lets the waiting loop look at the clock again, which has moved.
func (c *courier) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed()
}

func (c *courier) nextDue() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return time.Time{}, false
	}
	return c.queue[0].due, true
}

// settle waits until nothing is due and nobody is on the way.
func (c *courier) settle(ctx context.Context) error {
	for {
		_, change := c.dispatch()
		if c.still() {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("waiting for webhook deliveries: %w", ctx.Err())
		case <-c.ctx.Done():
			return fmt.Errorf("waiting for webhook deliveries: the sandbox is closing")
		}
	}
}

func (c *courier) still() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.sandbox.clock.Now()
	return c.busy == 0 && (len(c.queue) == 0 || c.queue[0].due.After(now))
}
