package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
	"bcdev/internal/edge"
	"bcdev/internal/sandbox"
	"bcdev/internal/serve"
)

// farSide is BigCommerce and ngrok on this machine: what demo runs inside and sandbox runs alone.
type farSide struct {
	sandbox   *sandbox.Sandbox
	edge      *edge.Edge
	listener  net.Listener
	authtoken string
	caFile    string
}

// farAddrs are where the far side listens.
type farAddrs struct{ login, agent, public string }

func defaultFarAddrs() farAddrs {
	return farAddrs{login: "127.0.0.1:7080", agent: "127.0.0.1:7081", public: "127.0.0.1:7443"}
}

// openFarSide starts sandbox and edge, and writes the edge's CA where an SDK can be told of it.
func openFarSide(addrs farAddrs, dir string, o sandbox.Options, p *program) (_ *farSide, err error) {
	if err := makePrivate(dir); err != nil {
		return nil, err
	}
	f := &farSide{caFile: filepath.Join(dir, "edge-ca.pem")}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.authtoken, err = keepKey(filepath.Join(dir, "edge.token")); err != nil {
		return nil, err
	}
	if f.listener, err = serve.Listen(addrs.login, false); err != nil {
		return nil, fmt.Errorf("sandbox.listen: %w", err)
	}
	if f.edge, err = openEdge(addrs, dir, f.authtoken, p.logger()); err != nil {
		return nil, err
	}
	if err = writePrivate(f.caFile, f.edge.CAPEM()); err != nil {
		return nil, fmt.Errorf("writing the edge's certificate authority: %w", err)
	}
	o.HTTP, o.Logger = f.edge.Client(), p.logger()
	f.sandbox = sandbox.New(o)
	return f, nil
}

// openEdge starts an edge with the authority of the last one in dir: a bcdev that was linked to
// that one finds its way back.
func openEdge(addrs farAddrs, dir, authtoken string, log *slog.Logger) (*edge.Edge, error) {
	file := filepath.Join(dir, "edge-ca.key")
	kept, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the edge's certificate authority: %w", err)
	}
	e, err := edge.Start(edge.Options{
		AgentAddr: addrs.agent, PublicAddr: addrs.public, Domain: "localhost",
		Tokens: []string{authtoken}, AnyName: true, Authority: kept, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the edge: %w", err)
	}
	authority, err := e.Authority()
	if err == nil && !bytes.Equal(authority, kept) {
		err = writePrivate(file, authority)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the edge's certificate authority: %w", err), e.Close())
	}
	return e, nil
}

func (f *farSide) door() serve.Door {
	return serve.Door{
		Name: "sandbox", Listener: f.listener, Drain: 0,
		Server: serve.New(f.sandbox.Handler(), serve.Limits{}),
	}
}

func (f *farSide) url() string { return localURL(f.listener.Addr()) }

func (f *farSide) controlURL() string { return f.url() + "/_control" }

// apply points a configuration at this far side.
func (f *farSide) apply(cfg *config.Config) {
	app := f.sandbox.App()
	cfg.App.ClientID, cfg.App.ClientSecret = app.ClientID, app.ClientSecret
	cfg.Tunnel.Provider = "ngrok"
	cfg.Tunnel.Authtoken = secret(f.authtoken)
	cfg.Tunnel.ConnectURL, cfg.Tunnel.ConnectCAs = f.edge.AgentAddr(), f.caFile
	cfg.BigCommerce.LoginURL, cfg.BigCommerce.APIURL = f.url(), f.url()
	cfg.BigCommerce.StorefrontURL = f.storefrontURL()
}

func (f *farSide) storefrontURL() string { return f.url() + "/storefront/{hash}" }

func (f *farSide) close() {
	if f.sandbox != nil {
		_ = f.sandbox.Close() // the process ends with it: nothing is left to save
	}
	if f.edge != nil {
		_ = f.edge.Close()
	}
	if f.listener != nil {
		f.listener.Close()
	}
}

// ownApp is the app of the environment, so that a sandbox in CI has known credentials; an empty
// one makes the sandbox invent its own.
func ownApp(cfg *config.Config) bigcommerce.App {
	if cfg.App.ClientID == "" || cfg.App.ClientSecret == "" {
		return bigcommerce.App{}
	}
	return appOf(cfg)
}

// portAddrs spreads the addresses of a demo from one port on: 0 asks for free ones.
func portAddrs(cfg *config.Config, port int) (farAddrs, error) {
	if port < 0 || port > 65535-4 {
		return farAddrs{}, errors.New("--port takes 0 for free ports, or the first of five ports in a row")
	}
	at := func(offset int) string {
		if port == 0 {
			return "127.0.0.1:0"
		}
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+offset))
	}
	cfg.Proxy.Listen, cfg.Inspector.Listen = at(0), at(1)
	return farAddrs{login: at(2), agent: at(3), public: at(4)}, nil
}

// run serves the far side's sandbox until ctx ends.
func (f *farSide) run(ctx context.Context) error {
	return serve.Until(ctx, f.door())
}

// publicClient is a person's browser or a server out there: it dials *.localhost on loopback.
func (f *farSide) publicClient() *http.Client { return f.edge.Client() }

// registered are the callbacks of a session as the sandbox's portal knows them.
func (s *session) registered() sandbox.Callbacks {
	paths := s.cfg.App.Callbacks
	return sandbox.Callbacks{
		Auth: s.callbackURL(paths.Auth), Load: s.callbackURL(paths.Load),
		Uninstall: s.callbackURL(paths.Uninstall), RemoveUser: s.callbackURL(paths.RemoveUser),
		Webhooks: s.callbackURL(s.cfg.App.Webhooks),
	}
}
