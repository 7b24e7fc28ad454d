package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	couriers     = 8                // deliveries at a time
	deliverLimit = 10 * time.Second // BigCommerce publishes none
	maxWaiting   = 10000            // deliveries that wait; more are dropped
	maxSteps     = 100000           // due times one move of the clock may play
)

// retryDelays is BigCommerce's schedule: eleven retries in 48 hours (docs, Webhooks > Overview).
func retryDelays() []time.Duration {
	var delays []time.Duration
	for _, seconds := range []int{60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400} {
		delays = append(delays, time.Duration(seconds)*time.Second)
	}
	return delays
}

// delivery is one event on its way to one hook.
type delivery struct {
	id      string // webhook-id: the same across retries
	hook    hook   // as it was when the event happened
	event   event
	body    []byte
	attempt int // attempts made
	due     time.Time
	first   chan Attempt // gets the first attempt; has room for it
}

// Attempt is what came of one try to deliver.
type Attempt struct {
	Hook        int64  `json:"hook"` // 0: sent without a registration
	Destination string `json:"destination"`
	WebhookID   string `json:"webhook_id"`
	Status      int    `json:"status"` // 0 when there was no answer
	Error       string `json:"error,omitempty"`
}

func (a Attempt) ok() bool { return a.Status >= 200 && a.Status < 300 }

// courier delivers webhooks: a few at a time, again by the schedule when they fail.
type courier struct {
	sandbox *Sandbox
	delays  []time.Duration
	blocks  *blocklist
	ctx     context.Context
	cancel  context.CancelFunc
	ended   chan struct{}

	mu       sync.Mutex
	queue    []*delivery // by due time
	busy     int
	change   chan struct{} // closed, and replaced, at every change
	excepted map[string]time.Time
}

func newCourier(s *Sandbox) *courier {
	c := &courier{
		sandbox: s, delays: retryDelays(), blocks: &blocklist{domains: map[string]*domainRecord{}},
		ended: make(chan struct{}), change: make(chan struct{}), excepted: map[string]time.Time{},
	}
	for i := range c.delays {
		c.delays[i] = time.Duration(float64(c.delays[i]) / s.options.TimeScale)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run()
	return c
}

// run starts what falls due until the courier is closed.
func (c *courier) run() {
	defer close(c.ended)
	for c.ctx.Err() == nil {
		next, change := c.dispatch()
		timer := time.NewTimer(next)
		select {
		case <-c.ctx.Done():
		case <-change:
		case <-timer.C:
		}
		timer.Stop()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy > 0 {
		change := c.change
		c.mu.Unlock()
		<-change
		c.mu.Lock()
	}
}

func (c *courier) close() {
	c.cancel()
	<-c.ended
}

// dispatch starts the deliveries that are due, as far as there are couriers, and says how long
// to wait for the next.
func (c *courier) dispatch() (time.Duration, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.sandbox.clock.Now()
	for len(c.queue) > 0 && c.busy < couriers && !c.queue[0].due.After(now) && c.ctx.Err() == nil {
		d := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.busy++
		go c.carry(d)
	}
	wait := time.Hour
	if len(c.queue) > 0 && c.busy < couriers {
		wait = min(max(c.queue[0].due.Sub(now), time.Millisecond), wait)
	}
	return wait, c.change
}

// enqueue puts a delivery in its place; false when there is no room.
func (c *courier) enqueue(d *delivery) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) >= maxWaiting {
		return false
	}
	at, _ := slices.BinarySearchFunc(c.queue, d, func(a, b *delivery) int {
		if a.due.After(b.due) {
			return 1
		}
		return -1 // equal times stay in order of arrival
	})
	c.queue = slices.Insert(c.queue, at, d)
	c.changed()
	return true
}

func (c *courier) changed() {
	close(c.change)
	c.change = make(chan struct{})
}

func (c *courier) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) + c.busy
}

// carry makes one attempt and sees to what follows from it.
func (c *courier) carry(d *delivery) {
	c.attemptOne(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	c.changed()
}

func (c *courier) attemptOne(d *delivery) {
	current, ok := c.target(d)
	if !ok {
		return // unregistered meanwhile
	}
	now := c.sandbox.clock.Now()
	if until := c.blocks.until(current.domain(), now); !until.IsZero() {
		c.postpone(d, current, until)
		return
	}
	result := c.send(d, current)
	if c.ctx.Err() != nil {
		return
	}
	defer c.report(d, result) // when all that follows from it is done
	now = c.sandbox.clock.Now()
	blocked := c.blocks.add(current.domain(), outcome{now, result.ok(), result.why()})
	if blocked {
		c.except(d, current, 90003, "The destination domain is blocked.", now)
	}
	if !result.ok() {
		c.again(d, current, now)
	}
}

// target is the hook as it is now, so that a hook that was re-pointed gets its retries.
func (c *courier) target(d *delivery) (hook, bool) {
	if d.hook.ID == 0 {
		return d.hook, true
	}
	current, ok := c.sandbox.hooks.get(d.hook.ID)
	return current, ok && current.IsActive
}

// postpone sends an event for a blocked domain to the retry queue, without an attempt.
func (c *courier) postpone(d *delivery, h hook, until time.Time) {
	c.report(d, Attempt{Hook: h.ID, Destination: h.Destination, WebhookID: d.id, Error: "the domain is on the block list"})
	d.due = until
	c.keep(d)
}

// again plans the next attempt, or gives up and deactivates the hook.
func (c *courier) again(d *delivery, h hook, now time.Time) {
	d.attempt++
	if d.attempt > len(c.delays) {
		c.sandbox.hooks.deactivate(h.ID, now)
		c.except(d, h, 90002, "Retries are exhausted. The webhook is disabled.", now)
		return
	}
	c.except(d, h, 90001, "The delivery failed and will be tried again.", now)
	d.due = now.Add(c.delays[d.attempt-1])
	c.keep(d)
}

func (c *courier) keep(d *delivery) {
	if !c.enqueue(d) {
		c.sandbox.log.Warn("webhook dropped: too many wait", "scope", d.event.scope)
	}
}

func (c *courier) report(d *delivery, a Attempt) {
	select {
	case d.first <- a:
	default:
	}
	c.sandbox.log.Debug("webhook", "scope", d.event.scope, "destination", a.Destination,
		"attempt", d.attempt+1, "status", a.Status, "error", a.Error)
}

// send makes one POST. The answer's body is ignored.
func (c *courier) send(d *delivery, h hook) Attempt {
	result := Attempt{Hook: h.ID, Destination: h.Destination, WebhookID: d.id}
	ctx, cancel := context.WithTimeout(c.ctx, deliverLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.Destination, bytes.NewReader(d.body))
	if err != nil {
		result.Error = "the destination is not a URL"
		return result
	}
	for name, value := range h.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "BigCommerce-Webhooks")
	for name, values := range c.sandbox.app.SignWebhook(d.id, c.sandbox.clock.Now(), d.body) {
		req.Header[name] = values
	}
	res, err := c.sandbox.httpClient().Do(req)
	if err != nil {
		result.Error = withoutURL(err).Error()
		return result
	}
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	_ = res.Body.Close()
	result.Status = res.StatusCode
	return result
}

// why is a failure in the block list's words.
func (a Attempt) why() string {
	if a.Status == 0 {
		return "No response: " + a.Error
	}
	return fmt.Sprintf("HTTP status %d", a.Status)
}

// blocked is the block list as far as it concerns the hooks.
func (c *courier) blocked(now time.Time, hooks []adminHook) []blockedDomain {
	found, seen := []blockedDomain{}, map[string]bool{}
	for _, h := range hooks {
		domain := h.domain()
		if entry, ok := c.blocks.entry(domain, now); ok && !seen[domain] {
			found = append(found, entry)
		}
		seen[domain] = true
	}
	return found
}
