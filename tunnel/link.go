package tunnel

import (
	"fmt"
	"sync"
	"time"
)

// State is how the link to the public is.
type State string

// The states of a link.
const (
	Connecting State = "connecting" // the first time
	Up         State = "up"         // requests arrive
	Down       State = "down"       // they do not; coming back is being tried
	Closed     State = "closed"     // for good
)

// Event is a change of the link's state, or one more failed attempt to come back.
type Event struct {
	State   State
	At      time.Time
	Err     error         // why, an *Error; nil for Up and for our own Close
	Attempt int           // failed attempts since the link was last up
	Latency time.Duration // of the last heartbeat; 0 while none is known
}

const eventsKept = 16

// link keeps the honest state of a connection and tells its changes. The link is up when the far
// side has confirmed the session and the endpoint, and has been heard lately.
type link struct {
	events chan Event

	mu        sync.Mutex
	state     State
	since     time.Time
	attempt   int
	latency   time.Duration
	connected bool // the session stands
	bound     bool // the endpoint was granted once; a session restores it before it stands
	silent    bool // down for silence alone
	finished  bool
	lastBeat  time.Time
	silence   time.Duration // how long without a beat is too long; 0: no beats are expected
	watch     *time.Timer
}

func newLink(silence time.Duration) *link {
	l := &link{events: make(chan Event, eventsKept), silence: silence}
	l.tell(Connecting, nil)
	return l
}

func (l *link) now() (State, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.since
}

func (l *link) heard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastBeat
}

// standing reports whether there is a session.
func (l *link) standing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected
}

// granted says that the endpoint was bound for the first time.
func (l *link) granted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bound = true
	l.rise()
}

// stood says that a session stands, with the endpoint on it if there was one.
func (l *link) stood() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected = true
	l.listen()
	l.rise()
}

// beat says that the far side answered a heartbeat.
func (l *link) beat(latency time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.connected {
		return // a late answer on a link that is already given up
	}
	l.latency = latency
	l.listen()
	if l.silent {
		l.rise()
	}
}

// lost says that the link is gone, or that one more attempt to have it failed.
func (l *link) lost(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected = false
	l.attempt++
	l.sink(err)
}

// listen sets the silence clock back. Callers hold the lock.
func (l *link) listen() {
	l.lastBeat = time.Now()
	if l.silence <= 0 || l.state == Closed {
		return
	}
	if l.watch == nil {
		l.watch = time.AfterFunc(l.silence, l.hush)
		return
	}
	l.watch.Reset(l.silence)
}

// hush is called when no heartbeat came for too long. The library gives the link up a little
// later and starts anew; until then requests do not arrive.
func (l *link) hush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	quiet := time.Since(l.lastBeat)
	if !l.connected || l.state != Up || quiet < l.silence {
		return
	}
	l.silent = true
	l.sink(&Error{
		Text: fmt.Sprintf("the link to ngrok has been silent for %s", quiet.Round(100*time.Millisecond)),
		Next: "nothing to do: it is dropped and opened again when it stays silent",
	})
}

// close sets the final state; err is nil when we wanted it.
func (l *link) close(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == Closed {
		return
	}
	if l.watch != nil {
		l.watch.Stop()
	}
	l.tell(Closed, err)
}

// finish ends the story.
func (l *link) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.finished {
		l.finished = true
		close(l.events)
	}
}

func (l *link) rise() {
	if l.state == Closed || l.state == Up || !l.connected || !l.bound {
		return
	}
	l.attempt, l.silent = 0, false
	l.tell(Up, nil)
}

func (l *link) sink(err error) {
	switch {
	case l.state == Closed:
	case l.bound:
		l.tell(Down, err)
	default:
		l.tell(Connecting, err)
	}
}

// tell records a state and publishes it without ever waiting: the oldest event makes room.
// Callers hold the lock, so there is one sender.
func (l *link) tell(s State, err error) {
	if l.finished {
		return
	}
	at := time.Now()
	if s != l.state {
		l.state, l.since = s, at
	}
	e := Event{State: s, At: at, Err: err, Attempt: l.attempt, Latency: l.latency}
	for {
		select {
		case l.events <- e:
			return
		default:
		}
		select {
		case <-l.events:
		default:
		}
	}
}
