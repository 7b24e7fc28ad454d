package edge

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.ngrok.com/muxado/v2"
)

const (
	authLimit      = 15 * time.Second // for an agent to say who it is
	requestLimit   = 10 * time.Second // for a request on a stream
	maxRequestSize = 1 << 20          // a traffic policy is the largest part
	maxRequests    = 64               // at a time, of one agent
	defaultSilence = 25 * time.Second // an agent's heartbeat and its tolerance, by default
	longestSilence = 5 * time.Minute
)

// session is one agent's connection.
type session struct {
	edge *Edge
	mux  muxado.Session
	gate *gate
	pace *pace
	late *time.Timer
	busy chan struct{}

	once sync.Once
	done chan struct{}

	mu       sync.Mutex
	token    string // "" before Auth was granted
	clientID string
}

func (e *Edge) serveAgents(ln net.Listener) {
	e.mu.Lock()
	e.agents = ln
	e.mu.Unlock()
	ln = limited(ln, maxAgents)
	e.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			e.wg.Go(func() { e.serveAgent(c) })
		}
	})
}

func (e *Edge) serveAgent(c net.Conn) {
	g := newGate(c, &e.hole)
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return e.ca.forAgents(e.options.Now())
		},
	}
	s := &session{
		edge: e, gate: g,
		mux:  muxado.Server(tls.Server(g, config), &muxado.Config{}),
		busy: make(chan struct{}, maxRequests),
		done: make(chan struct{}),
	}
	s.pace = newPace(s)
	s.late = time.AfterFunc(authLimit, s.closeUnknown)
	if !e.admit(s) {
		s.close()
		return
	}
	s.serve()
	s.close()
}

// serve answers what the agent asks, each stream on its own.
func (s *session) serve() {
	for {
		str, err := s.mux.AcceptStream()
		if err != nil {
			return
		}
		select {
		case s.busy <- struct{}{}:
		case <-s.done:
			return
		}
		s.edge.wg.Go(func() {
			defer func() { <-s.busy }()
			defer func() { _ = str.Close() }()
			s.answer(str)
		})
	}
}

func (s *session) answer(str muxado.Stream) {
	_ = str.SetReadDeadline(time.Now().Add(requestLimit))
	var kind uint32
	if binary.Read(str, binary.BigEndian, &kind) != nil {
		return
	}
	if s.account() == "" && kind != typeAuth && kind != typeSrvInfo && kind != typeHeartbeat {
		s.close()
		return
	}
	switch kind {
	case typeHeartbeat:
		echo(str)
	case typeAuth:
		answerWith(str, s.auth)
	case typeBind:
		answerWith(str, s.bind)
	case typeUnbind:
		answerWith(str, s.unbind)
	case typeSrvInfo:
		answerWith(str, func(struct{}) any { return srvInfoResponse{Region: "lo"} })
	case typePatch:
		answerWith(str, func(struct{}) any { return errorResponse{} })
	case typeLabels:
		answerWith(str, func(struct{}) any {
			return errorResponse{refuse(332, "Labels are not supported.").wire()}
		})
	}
}

// echo answers heartbeats until the stream ends.
func echo(str muxado.Stream) {
	_ = str.SetReadDeadline(time.Time{})
	beat := make([]byte, 4)
	for {
		if _, err := io.ReadFull(str, beat); err != nil {
			return
		}
		if _, err := str.Write(beat); err != nil {
			return
		}
	}
}

// answerWith reads one JSON value, answers with one, and that is the stream.
func answerWith[T any](str muxado.Stream, f func(T) any) {
	var request T
	if json.NewDecoder(io.LimitReader(str, maxRequestSize)).Decode(&request) != nil {
		return
	}
	if b, err := json.Marshal(f(request)); err == nil {
		_, _ = str.Write(b)
	}
}

func (s *session) auth(r authRequest) any {
	record := AuthRecord{
		At: s.edge.options.Now(), Token: r.Extra.Authtoken,
		ClientID: r.ClientID, Cookie: r.Extra.Cookie,
		ClientType: r.Extra.ClientType, Version: r.Extra.Version, UserAgent: r.Extra.UserAgent,
		Heartbeat:          time.Duration(r.Extra.HeartbeatInterval),
		HeartbeatTolerance: time.Duration(r.Extra.HeartbeatTolerance),
	}
	no := s.edge.checkToken(record.Token)
	if refuse := s.edge.options.RefuseAuth; no == nil && refuse != nil {
		no = refuse(record)
	}
	if no == nil {
		no = s.edge.enter(s, record)
	}
	record.Refused = no.code()
	s.edge.note(record)
	if no != nil {
		return authResponse{Error: no.wire()}
	}
	s.late.Stop()
	s.gate.expect(record.Heartbeat + record.HeartbeatTolerance)
	return s.welcome()
}

func (s *session) welcome() authResponse {
	out := authResponse{Version: "3", ClientID: s.id()}
	out.Extra.Version = "loopback"
	out.Extra.Region = "lo"
	out.Extra.Cookie = randomID("")
	out.Extra.AccountName = "loopback"
	out.Extra.PlanName = "Free"
	out.Extra.AgentSessionID = randomID("ts_")
	return out
}

func (s *session) account() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

func (s *session) id() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clientID
}

func (s *session) closeUnknown() {
	if s.account() == "" {
		s.close()
	}
}

// close ends the session; its endpoints are offline before it returns.
func (s *session) close() {
	s.once.Do(func() {
		close(s.done)
		s.late.Stop()
		s.edge.leave(s)
		_ = s.mux.Close() // says goodbye for up to 250 ms
		_ = s.gate.Close()
	})
}

// admit takes a new connection in.
func (e *Edge) admit(s *session) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.agents == nil {
		return false
	}
	e.sessions[s] = struct{}{}
	return true
}

// enter makes a connection a session of its token. A session that comes back takes the place of
// its former self, which may not know yet that it is dead.
func (e *Edge) enter(s *session, r AuthRecord) *Refusal {
	e.mu.Lock()
	defer e.mu.Unlock()
	online := 0
	var former *session
	for other := range e.sessions {
		if other == s || other.account() != r.Token {
			continue
		}
		if r.ClientID != "" && other.id() == r.ClientID {
			former = other
			continue
		}
		online++
	}
	if online >= maxSessions {
		return refuse(108, "Your account is limited to %d simultaneous ngrok agent sessions.", maxSessions)
	}
	if former != nil {
		e.wg.Go(former.close)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.clientID = r.Token, r.ClientID
	if s.clientID == "" {
		s.clientID = randomID("")
	}
	return nil
}

// leave forgets a session and takes its endpoints offline.
func (e *Edge) leave(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, s)
	for host, ep := range e.endpoints {
		if ep.session == s {
			delete(e.endpoints, host)
			ep.offline()
		}
	}
}

func (e *Edge) note(r AuthRecord) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.auths = kept(e.auths, r)
	e.log.Debug("agent", "version", r.Version, "resumed", r.ClientID != "", "refused", r.Refused)
}
