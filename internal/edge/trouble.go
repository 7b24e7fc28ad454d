package edge

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
)

// Cut ends every agent's connection and takes no new ones until Restart. Visitors find every name
// offline.
func (e *Edge) Cut() { e.cut() }

func (e *Edge) cut() {
	e.mu.Lock()
	if e.agents != nil {
		e.agents.Close()
		e.agents = nil
	}
	e.mu.Unlock()
	e.drop(func(*session) bool { return true })
}

// Restart cuts every agent off and takes connections again, on the same port. What was granted
// before is remembered, as ngrok's cloud does.
func (e *Edge) Restart() error {
	e.cut()
	e.mu.Lock()
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return errors.New("restarting the edge: it is closed")
	}
	ln, err := listen(e.agentAddr)
	if err != nil {
		return fmt.Errorf("restarting the edge: %w", err)
	}
	e.serveAgents(ln)
	return nil
}

// BlackHole holds every byte to and from agents while it is on, without closing anything.
func (e *Edge) BlackHole(on bool) { e.hole.open(on) }

// Revoke ends the token's sessions and refuses it from now on.
func (e *Edge) Revoke(token string) {
	e.mu.Lock()
	e.revoked[token] = true
	e.mu.Unlock()
	e.drop(func(s *session) bool { return s.account() == token })
}

// StopEndpoint takes one public name offline and tells its agent why, as ngrok's dashboard can.
// The agent's session stays.
func (e *Edge) StopEndpoint(publicURL, code string) error {
	u, err := url.Parse(publicURL)
	if err != nil {
		return fmt.Errorf("stopping an endpoint: %w", err)
	}
	e.mu.Lock()
	ep := e.endpoints[strings.ToLower(u.Hostname())]
	delete(e.endpoints, strings.ToLower(u.Hostname()))
	e.mu.Unlock()
	if ep == nil {
		return fmt.Errorf("stopping an endpoint: %s is not online", u.Hostname())
	}
	ep.offline()
	return ep.session.stop(stopTunnel{ID: ep.bindID, Message: "The endpoint was stopped.", ErrorCode: code})
}

func (s *session) stop(m stopTunnel) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	str, err := s.mux.OpenStream()
	if err != nil {
		return fmt.Errorf("stopping an endpoint: %w", err)
	}
	defer func() { _ = str.Close() }()
	if _, err := str.Write(append(binary.BigEndian.AppendUint32(nil, typeStopTunnel), body...)); err != nil {
		return fmt.Errorf("stopping an endpoint: %w", err)
	}
	return nil
}

// drop ends the sessions that which picks, all at the same time: each goodbye takes a moment.
func (e *Edge) drop(which func(*session) bool) {
	e.mu.Lock()
	var all []*session
	for s := range e.sessions {
		if which(s) {
			all = append(all, s)
		}
	}
	e.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(s.close)
	}
	wg.Wait()
}
