package sandbox

import (
	"sync"
	"time"
)

// clock is the sandbox's own time: the source's, moved forward on demand.
type clock struct {
	source func() time.Time

	mu    sync.Mutex
	ahead time.Duration
}

// Now is the sandbox's time in UTC.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.source().Add(c.ahead).UTC()
}

// jump moves the clock forward to t; a t that is past changes nothing.
func (c *clock) jump(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gap := t.Sub(c.source().Add(c.ahead)); gap > 0 {
		c.ahead += gap
	}
}
