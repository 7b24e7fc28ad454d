package tunnel

// Waiting reports whether a connection waits to be accepted.
func Waiting(t *Tunnel) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.live) > 0
}
