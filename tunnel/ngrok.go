package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"golang.ngrok.com/ngrok/v2"
)

// Open connects to ngrok and binds the address. Whatever goes wrong is an *Error; a refusal by
// ngrok comes at once, an edge that cannot be reached within Options.ConnectTimeout. ctx is for
// opening alone: cancelling it later does not end the tunnel, Close does.
//
// ngrok is told the machine's name, the program's path and its process id (ForwardsTo); the
// library has no option against it.
func Open(ctx context.Context, o Options) (*Tunnel, error) {
	p, err := prepare(o)
	if err != nil {
		return nil, err
	}
	d, err := newDoor(ctx, p)
	if err != nil {
		return nil, err
	}
	limit := time.AfterFunc(p.ConnectTimeout, func() { d.end(errTooLong) })
	defer limit.Stop()
	unhook := context.AfterFunc(ctx, func() { d.end(context.Cause(ctx)) })
	defer unhook()
	if err := d.open(); err != nil {
		return nil, d.abandon(err)
	}
	if !limit.Stop() || !unhook() {
		return nil, d.abandon(d.life.Err())
	}
	return start("ngrok", d.publicURL(), d.endpoint.Addr(), d, d.link), nil
}

var errTooLong = errors.New("the time for opening is up")

const (
	bindTries = 3 // at an address that is still taken: its last owner may just have crashed
	bindPause = 500 * time.Millisecond
)

// ngrokDoor is one session with ngrok and the one endpoint on it.
type ngrokDoor struct {
	*plan
	link     *link
	dialer   *dialer
	agent    ngrok.Agent
	endpoint ngrok.EndpointListener

	life context.Context // the library's session ends with it, so it is never a limited one
	end  context.CancelCauseFunc

	mu      sync.Mutex
	opening bool
	closing bool
	last    *Error // the last thing that went wrong
	away    chan struct{}
	isAway  bool
}

func newDoor(ctx context.Context, p *plan) (*ngrokDoor, error) {
	d := &ngrokDoor{plan: p, link: newLink(p.silence()), opening: true, away: make(chan struct{})}
	d.life, d.end = context.WithCancelCause(context.WithoutCancel(ctx))
	d.dialer = newDialer(d.lost)
	agent, err := ngrok.NewAgent(append(p.options(d.dialer), ngrok.WithEventHandler(d.handle))...)
	if err != nil {
		return nil, p.explain(err)
	}
	d.agent = agent
	return d, nil
}

// options are the library's for this plan.
func (p *plan) options(by ngrok.Dialer) []ngrok.AgentOption {
	o := []ngrok.AgentOption{
		ngrok.WithAuthtoken(p.Authtoken),
		ngrok.WithAutoConnect(false),
		ngrok.WithDialer(by),
		ngrok.WithLogger(p.logger),
		// The library cuts the name off at the first colon, which breaks [::1]:443.
		ngrok.WithTLSConfig(func(c *tls.Config) { c.ServerName = p.host }),
		ngrok.WithAgentConnectURL(p.address),
	}
	if p.ConnectCAs != nil {
		o = append(o, ngrok.WithAgentConnectCAs(p.ConnectCAs))
	}
	if p.ClientType != "" {
		o = append(o, ngrok.WithClientInfo(p.ClientType, p.version()))
	}
	if p.Heartbeat > 0 {
		o = append(o, ngrok.WithHeartbeatInterval(p.Heartbeat))
	}
	if p.HeartbeatTolerance > 0 {
		o = append(o, ngrok.WithHeartbeatTolerance(p.HeartbeatTolerance))
	}
	return o
}

// open makes the session and binds the address. The library retries a refused token for ever;
// lost ends the session's context at the first refusal instead.
func (d *ngrokDoor) open() error {
	if err := d.agent.Connect(d.life); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := d.bind()
		if err == nil {
			break
		}
		if code := codeOf(err); fatal(code) || code != "" && try == bindTries {
			return err
		}
		// Without a code the session was lost meanwhile, and is being made again.
		if err := rest(d.life, bindPause); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.opening = false
	d.mu.Unlock()
	d.link.granted()
	return nil
}

// bind asks for the endpoint. The library's Listen does not heed its context while it waits.
func (d *ngrokDoor) bind() error {
	type answer struct {
		endpoint ngrok.EndpointListener
		err      error
	}
	came := make(chan answer, 1)
	go func() {
		ep, err := d.agent.Listen(d.life, d.endpointOptions()...)
		came <- answer{ep, err}
	}()
	select {
	case a := <-came:
		d.endpoint = a.endpoint
		return a.err
	case <-d.life.Done():
		return d.life.Err()
	}
}

func (d *ngrokDoor) endpointOptions() []ngrok.EndpointOption {
	var o []ngrok.EndpointOption
	if d.URL != "" {
		o = append(o, ngrok.WithURL(d.URL))
	}
	if d.TrafficPolicy != "" {
		o = append(o, ngrok.WithTrafficPolicy(d.TrafficPolicy))
	}
	return o
}

// abandon drops what was begun and says why it was not finished.
func (d *ngrokDoor) abandon(err error) error {
	cause := context.Cause(d.life)
	d.release()
	d.link.finish()
	var refusal *Error
	switch {
	case errors.As(cause, &refusal):
		return refusal
	case errors.Is(cause, errTooLong):
		return d.unreached(d.lastTrouble())
	case cause != nil:
		return &Error{Text: "opening the tunnel was interrupted", Next: "start again", Err: cause}
	default:
		return d.explain(err)
	}
}

// handle gets the library's events, on its own goroutines and under its locks: it must not wait
// and must not call the agent.
func (d *ngrokDoor) handle(event ngrok.Event) {
	switch e := event.(type) {
	case *ngrok.EventAgentConnectSucceeded:
		d.link.stood()
	case *ngrok.EventAgentHeartbeatReceived:
		d.link.beat(e.Latency)
	case *ngrok.EventAgentDisconnected:
		if e.Error != nil { // nil: it is over; Accept says so too
			d.lost(e.Error)
		}
	}
}

// lost takes note that the link broke or that an attempt to mend it failed.
func (d *ngrokDoor) lost(err error) {
	if d.life.Err() != nil {
		return
	}
	trouble := d.explain(err)
	d.mu.Lock()
	d.last = trouble
	opening := d.opening
	if d.closing {
		d.leave()
	}
	d.mu.Unlock()
	d.link.lost(trouble)
	if opening && (fatal(trouble.Code) || d.untrusted(err) != nil) {
		d.end(trouble)
	}
}

// leave says that the open connections are lost. Callers hold the lock.
func (d *ngrokDoor) leave() {
	if !d.isAway {
		d.isAway = true
		close(d.away)
	}
}

func (d *ngrokDoor) lastTrouble() *Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

func (d *ngrokDoor) publicURL() string {
	return strings.TrimRight(d.endpoint.URL().String(), "/")
}

// accept returns the endpoint's next connection. An error is the end: the endpoint was stopped
// from outside, and the library would bind it again at the next reconnect without anyone to
// serve it, so the whole session has to go.
func (d *ngrokDoor) accept() (net.Conn, error) {
	c, err := d.endpoint.Accept()
	if err == nil {
		return stream{c}, nil
	}
	if codeOf(err) == "" {
		return nil, &Error{
			Text: "the tunnel was ended from outside: " + d.words(err),
			Next: "start again",
			Err:  d.safe(err),
		}
	}
	stopped := d.explain(err)
	stopped.Text = "the tunnel was stopped from outside: " + stopped.Text
	return nil, stopped
}

func (d *ngrokDoor) shut() {
	d.mu.Lock()
	d.closing = true
	if !d.link.standing() {
		d.leave()
	}
	d.mu.Unlock()
	_ = d.endpoint.Close() // whatever it says, the session goes next
}

func (d *ngrokDoor) gone() <-chan struct{} { return d.away }

const disconnectLimit = 2 * time.Second

func (d *ngrokDoor) release() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.agent.Disconnect() // it says that the link is gone, which is the aim
	}()
	limit := time.NewTimer(disconnectLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
	d.end(net.ErrClosed)
	d.dialer.close()
}
