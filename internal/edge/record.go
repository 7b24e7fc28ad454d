package edge

import "time"

// AuthRecord is one attempt of an agent to begin or resume a session.
type AuthRecord struct {
	At                            time.Time
	Token                         string
	ClientID, Cookie              string // empty the first time
	ClientType, Version           string
	UserAgent                     string
	Heartbeat, HeartbeatTolerance time.Duration
	Refused                       string // the code; "" when granted
}

// BindRecord is one attempt of an agent to get a public address.
type BindRecord struct {
	At            time.Time
	Token         string // of the session
	ID            string // as the agent gave it: "" the first time
	URL           string // asked for
	Granted       string // given
	Proto         string
	TrafficPolicy string
	ForwardsTo    string
	Metadata      string
	Resumed       bool   // with a reconnect token
	Refused       string // the code; "" when granted
}

// Auths are the last 1000 attempts, oldest first.
func (e *Edge) Auths() []AuthRecord {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]AuthRecord(nil), e.auths...)
}

// Binds are the last 1000 attempts, oldest first.
func (e *Edge) Binds() []BindRecord {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]BindRecord(nil), e.binds...)
}

func kept[T any](all []T, one T) []T {
	if len(all) >= maxRecords {
		all = append(all[:0], all[len(all)-maxRecords+1:]...)
	}
	return append(all, one)
}
