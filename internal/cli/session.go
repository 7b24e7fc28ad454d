package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/callback"
	"bcdev/internal/config"
	"bcdev/internal/console"
	"bcdev/internal/deliver"
	"bcdev/internal/hooks"
	"bcdev/internal/serve"
	"bcdev/internal/vault"
	"bcdev/proxy"
	"bcdev/tunnel"
)

// How long each door may take to finish what it has begun when bcdev is asked to stop.
const (
	drainPublic = 10 * time.Second // a callback's exchange is finished and saved
	drainAPI    = 5 * time.Second
	drainWindow = 0 // event streams have no end to wait for
)

// session is one running bcdev: the rooms, introduced to each other.
type session struct {
	p     *program
	cfg   *config.Config
	con   *console.Console
	log   *slog.Logger
	state string
	flags upFlags

	vault      *vault.Vault
	journal    *capture.Journal
	door       *proxy.Proxy
	tunnel     *tunnel.Tunnel
	callbacks  *callback.Handler
	courier    *deliver.Deliverer
	listeners  listeners
	windowKey  string
	doorKey    string
	codes      *codeBook
	faults     *proxy.Faults
	lowQuota   *reminders
	hookBook   *hooks.Book
	installed  chan string // stores with a new grant, for keepHooks
	expansions *expansions
	heard      func(capture.Exchange) // after an exchange was told; may be nil
	closers    []io.Closer            // closed in reverse order
}

// listeners are bound before anything is announced.
type listeners struct{ api, window, forward net.Listener }

// open takes everything a session needs, in the order in which it can fail: state folder, vault,
// journal, local listeners, tunnel. What was opened is closed again when a later step fails.
func (s *session) open(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, step := range []func(context.Context) error{
		s.takeState, s.openVault, s.openJournal, s.bind, s.build, s.openTunnel,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) takeState(context.Context) error {
	if err := makePrivate(s.state); err != nil {
		return err
	}
	lock, err := lockState(s.state)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, lock)
	if s.windowKey, err = keepKey(filepath.Join(s.state, "inspector.key")); err != nil {
		return err
	}
	if s.cfg.Proxy.Key == "required" {
		s.doorKey, err = keepKey(filepath.Join(s.state, "proxy.key"))
	}
	return err
}

func (s *session) openVault(context.Context) (err error) {
	s.vault, err = s.p.openVault(s.cfg, s.state)
	if err == nil {
		s.closers = append(s.closers, s.vault)
	}
	return err
}

func (s *session) openJournal(context.Context) (err error) {
	s.journal, err = openJournal(s.cfg, s.state, s.vault, s.con.Problem, s.log)
	if err == nil {
		s.closers = append(s.closers, s.journal)
	}
	return err
}

func (s *session) bind(context.Context) (err error) {
	listen := func(into *net.Listener, key, addr string) {
		if err != nil || addr == "" {
			return
		}
		if *into, err = serve.Listen(addr, s.flags.allowLAN); err != nil {
			err = fmt.Errorf("%s: %w", key, err)
			return
		}
		s.closers = append(s.closers, *into)
	}
	listen(&s.listeners.api, "proxy.listen", s.cfg.Proxy.Listen)
	listen(&s.listeners.window, "inspector.listen", s.cfg.Inspector.Listen)
	listen(&s.listeners.forward, "forward_proxy.listen", s.cfg.ForwardProxy.Listen)
	return err
}

// tunnelIsSlow is how long opening the tunnel may take before a person is told that it does.
const tunnelIsSlow = 3 * time.Second

func (s *session) openTunnel(ctx context.Context) (err error) {
	if s.cfg.Tunnel.Provider == "none" {
		s.tunnel, err = tunnel.Listen(s.cfg.Tunnel.Listen, s.cfg.Tunnel.PublicURL)
	} else {
		var o tunnel.Options
		if o, err = s.tunnelOptions(); err == nil {
			slow := time.AfterFunc(tunnelIsSlow, func() { s.con.Notef("ngrok has not answered yet; still trying") })
			s.tunnel, err = tunnel.Open(ctx, o)
			slow.Stop()
		}
	}
	if err != nil {
		return fmt.Errorf("opening the tunnel: %w", err)
	}
	s.closers = append(s.closers, closerFunc(s.tunnel.Drop))
	return nil
}

// serve answers at every door until ctx ends or a door dies, and calls ready once all are open.
func (s *session) serve(ctx context.Context, ready func()) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	doors, err := s.doors()
	if err != nil {
		return err
	}
	told := s.journal.Watch(ctx) // before anybody is told that it is ready
	defer s.announce()()
	ready()
	background := s.background(ctx, told)
	err = serve.Until(ctx, doors...)
	stop()
	background()
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainPublic)
	defer cancel()
	if waitErr := s.callbacks.Wait(drained); waitErr != nil {
		s.con.Problem("drain", fmt.Errorf("waiting for a token exchange: %w", waitErr))
	}
	return err
}

func (s *session) doors() ([]serve.Door, error) {
	doors := []serve.Door{
		{Name: "public door", Listener: s.tunnel, Drain: drainPublic, Server: s.publicServer()},
		{Name: "API door", Listener: s.listeners.api, Drain: drainAPI, Server: s.apiServer()},
	}
	if s.listeners.window != nil {
		server, err := s.windowServer()
		if err != nil {
			return nil, err
		}
		doors = append(doors, serve.Door{Name: "window", Listener: s.listeners.window, Drain: drainWindow, Server: server})
	}
	if s.listeners.forward != nil {
		server, err := s.forwardServer()
		if err != nil {
			return nil, err
		}
		doors = append(doors, serve.Door{Name: "forward door", Listener: s.listeners.forward, Drain: drainAPI, Server: server})
	}
	return doors, nil
}

// background starts what runs beside the doors, and returns a function that waits for its end.
func (s *session) background(ctx context.Context, told <-chan capture.Exchange) (wait func()) {
	run := []func(context.Context){s.tellLink, s.warm, s.keepHooks, func(context.Context) { s.tellExchanges(told) }}
	if s.cfg.Hooks.Expand {
		run = append(run, s.expandEvents)
	}
	if s.courier != nil {
		run = append(run, s.runQueue)
	}
	done := make(chan struct{}, len(run))
	for _, f := range run {
		go func() {
			defer func() { done <- struct{}{} }()
			f(ctx)
		}()
	}
	return func() {
		limit := time.After(drainAPI)
		for range run {
			select {
			case <-done:
			case <-limit:
				return
			}
		}
	}
}

// close ends what open began, in reverse order: tunnel, listeners, journal, vault, lock.
func (s *session) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i].Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Debug("closing", "error", err)
		}
	}
	s.closers = nil
}

// callbackURL is the public address of one of the app's paths.
func (s *session) callbackURL(path string) string { return joinURL(s.tunnel.URL(), path) }

func joinURL(base, path string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base + path
	}
	return u.Scheme + "://" + u.Host + path
}

func (s *session) app() bigcommerce.App { return appOf(s.cfg) }

func appOf(c *config.Config) bigcommerce.App {
	return bigcommerce.App{ClientID: c.App.ClientID, ClientSecret: c.App.ClientSecret}
}

// closerFunc is an end that cannot fail.
type closerFunc func()

// Close implements [io.Closer].
func (f closerFunc) Close() error { f(); return nil }

// makePrivate makes sure that the state folder exists and belongs to this person alone.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failed("choose another folder with --state-dir", "making the state folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return failed("choose a folder of your own with --state-dir", "closing the state folder to others: %w", err)
	}
	return nil
}

// noRedirects is a client for calls whose answers are read as they come.
func noRedirects(rt http.RoundTripper, limit time.Duration) *http.Client {
	return &http.Client{
		Transport:     rt,
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
