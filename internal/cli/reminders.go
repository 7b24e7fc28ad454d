package cli

import (
	"sync"
	"time"
)

// reminders say a thing once in a while and not at every turn.
type reminders struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newReminders() *reminders { return &reminders{until: map[string]time.Time{}} }

// first reports whether name was not said within the time that was given at the last true answer.
func (r *reminders) first(name string, quiet time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.until[name]) {
		return false
	}
	r.until[name] = now.Add(max(quiet, time.Second))
	return true
}
