package deliver

import (
	"sync"
	"time"
)

// gateLongest bounds the wait for an app that is not running. Asking costs one refused dial on
// this machine, and a developer who has just started his app is watching.
const gateLongest = 10 * time.Second

// gates hold deliveries back from apps that are not running, so that a queue of thousands asks
// once at a time instead of thousands of times.
type gates struct {
	backoff func(n int) time.Duration

	mu     sync.Mutex
	byHost map[string]*gate
	missed map[string]int // browsers sent away since the app was last reached
}

type gate struct {
	failures int // in a row; 0 is open
	until    time.Time
	probing  bool
}

func newGates(backoff func(int) time.Duration) *gates {
	return &gates{backoff: backoff, byHost: map[string]*gate{}, missed: map[string]int{}}
}

// miss counts a browser that found nobody at host, and returns how often that happened in a row.
func (g *gates) miss(host string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missed[host]++
	return g.missed[host]
}

// enter asks to deliver to host. While the app is down one delivery at a time may try, after the
// wait is over.
func (g *gates) enter(host string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.byHost[host]
	if !ok {
		return true
	}
	if at.probing || now.Before(at.until) {
		return false
	}
	at.probing = true
	return true
}

// down notes that nothing listens at host, and returns when to try again and whether this is
// news.
func (g *gates) down(host string, now time.Time) (until time.Time, news bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.byHost[host]
	if !ok {
		at = &gate{}
		g.byHost[host] = at
	}
	at.probing = false
	if !ok || !now.Before(at.until) { // several may have been under way at once
		at.failures++
		at.until = now.Add(min(g.backoff(at.failures), gateLongest))
	}
	return at.until, !ok
}

// abandon gives up a try that never asked the app.
func (g *gates) abandon(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.byHost[host]; ok {
		at.probing = false
	}
}

// reached opens the gate of host, and reports whether it was closed.
func (g *gates) reached(host string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, closed := g.byHost[host]
	delete(g.byHost, host)
	delete(g.missed, host)
	return closed
}

// state tells whether host is open, and when it may be tried otherwise; never, for now, while
// somebody tries.
func (g *gates) state(host string) (open bool, until time.Time, probing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.byHost[host]
	if !ok {
		return true, time.Time{}, false
	}
	return false, at.until, at.probing
}
