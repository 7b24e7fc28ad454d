// Package edge is the other end of ngrok's library on this machine: agents connect to one port,
// visitors to another, over TLS of its own CA, under names below .localhost.
//
// The protocol is that of golang.ngrok.com/ngrok/v2 v2.4.0 (TLS, muxado, one JSON value each way
// on typed streams). The edge also makes the trouble a tunnel has to survive: refusals, cuts,
// restarts, and links that fall silent.
package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say where an edge is and whom it serves. The zero value is an edge on free ports of
// 127.0.0.1 that accepts every authtoken.
type Options struct {
	AgentAddr  string // for agents; empty: 127.0.0.1:0
	PublicAddr string // for visitors; empty: 127.0.0.1:0
	Domain     string // public names end in it; empty: localhost

	Tokens   []string          // accepted authtokens; empty: any that is shaped like one
	Reserved map[string]string // name or name.domain -> the authtoken of its owner
	AnyName  bool              // names below Domain that nobody has reserved are for who asks first

	// Authority is what Edge.Authority returned earlier, so that agents that trusted that edge
	// trust this one, too. When it is empty, damaged or about to end, the edge makes a new one.
	Authority []byte

	Logger *slog.Logger
	Now    func() time.Time

	// RefuseAuth and RefuseBind may refuse what would be granted: an account that is suspended,
	// a traffic policy that is wrong. They are called on many goroutines; nil never refuses.
	RefuseAuth func(AuthRecord) *Refusal
	RefuseBind func(BindRecord) *Refusal
}

// Limits of one edge. It serves one developer.
const (
	maxAgents       = 128  // connections of agents
	maxVisitors     = 1024 // connections of visitors
	maxSessions     = 3    // online agents of one authtoken, as ngrok's free plan
	maxEndpoints    = 3    // online endpoints of one authtoken, as ngrok's free plan
	maxRecords      = 1000 // auths and binds that are remembered
	maxGrants       = 4096 // reconnect tokens that are remembered
	maxLeafs        = 1024 // certificates that are kept
	graceForPublic  = 2 * time.Second
	graceForEveryth = 5 * time.Second
)

// Edge is a running edge.
type Edge struct {
	options    Options
	log        *slog.Logger
	ca         *authority
	hole       hole
	publicAddr string
	agentAddr  string
	server     *http.Server
	client     *http.Client
	wg         sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	agents    net.Listener // nil while cut
	sessions  map[*session]struct{}
	endpoints map[string]*endpoint // by host
	grants    grants
	revoked   map[string]bool
	auths     []AuthRecord
	binds     []BindRecord
}

// Start opens both ports and serves until Close.
func Start(o Options) (*Edge, error) {
	o.AgentAddr = cmp.Or(o.AgentAddr, "127.0.0.1:0")
	o.PublicAddr = cmp.Or(o.PublicAddr, "127.0.0.1:0")
	o.Domain = strings.ToLower(cmp.Or(o.Domain, "localhost"))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Edge{
		options: o, log: o.Logger,
		sessions:  map[*session]struct{}{},
		endpoints: map[string]*endpoint{},
		revoked:   map[string]bool{},
	}
	if err := e.start(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Edge) start() error {
	ca, err := openAuthority(e.options)
	if err != nil {
		return fmt.Errorf("making the edge's certificates: %w", err)
	}
	e.ca = ca
	public, err := listen(e.options.PublicAddr)
	if err != nil {
		return fmt.Errorf("listening for visitors: %w", err)
	}
	e.publicAddr = public.Addr().String()
	e.servePublic(public)
	agents, err := listen(e.options.AgentAddr)
	if err != nil {
		return fmt.Errorf("listening for agents: %w", err)
	}
	e.agentAddr = agents.Addr().String()
	e.serveAgents(agents)
	return nil
}

func listen(addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
}

// AgentAddr is where agents connect, host:port. It stays the same over Restart.
func (e *Edge) AgentAddr() string { return e.agentAddr }

// PublicAddr is where visitors connect, host:port.
func (e *Edge) PublicAddr() string { return e.publicAddr }

// CAPEM is the certificate of the edge's authority, for both ports. It can vouch for the edge's
// domain and this machine's addresses alone.
func (e *Edge) CAPEM() []byte { return e.ca.pem }

// Authority is the authority with its private key, in PEM, to be kept as a secret for an edge
// that is to take this one's place.
func (e *Edge) Authority() ([]byte, error) { return e.ca.keep() }

// CertPool is a pool with the edge's authority alone.
func (e *Edge) CertPool() *x509.CertPool { return e.ca.pool() }

// PublicURL is the public address of a name, https://name.localhost:port.
func (e *Edge) PublicURL(name string) string { return "https://" + e.publicHost(e.fullName(name)) }

func (e *Edge) publicHost(host string) string {
	_, port, _ := net.SplitHostPort(e.publicAddr)
	if port == "443" {
		return host
	}
	return host + ":" + port
}

// DevURL is the public address that belongs to an authtoken. It is the same on every edge with
// the same domain and port.
func (e *Edge) DevURL(token string) string { return e.PublicURL(devName(token)) }

// DialContext dials names below the edge's domain at its public port, whatever the system makes of
// them (Go resolves no *.localhost), and everything else as usual.
func (e *Edge) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	host, port, err := net.SplitHostPort(addr)
	if err == nil && e.serves(host) {
		own, _, _ := net.SplitHostPort(e.publicAddr)
		if ip := net.ParseIP(own); ip == nil || ip.IsUnspecified() {
			own = "127.0.0.1"
		}
		addr = net.JoinHostPort(own, port)
	}
	return d.DialContext(ctx, network, addr)
}

// Client is a visitor: it finds the edge's names, trusts its CA, and does not follow redirects.
// All clients of an edge share their connections; they end with the edge.
func (e *Edge) Client() *http.Client {
	c := *e.client
	return &c
}

func (e *Edge) newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         e.DialContext,
			TLSClientConfig:     &tls.Config{RootCAs: e.CertPool(), MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close lets visitors' requests end for 2 s and then ends everything.
func (e *Edge) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()

	e.hole.open(false)
	var err error
	if e.server != nil {
		err = e.closePublic()
	}
	e.cut()
	done := make(chan struct{})
	go func() { e.wg.Wait(); close(done) }()
	limit := time.NewTimer(graceForEveryth)
	defer limit.Stop()
	select {
	case <-done:
		return err
	case <-limit.C:
		return errors.Join(err, errors.New("closing the edge: something did not end"))
	}
}
