package cli

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"bcdev/internal/config"
	"bcdev/internal/console"
	"bcdev/internal/redact"
	"bcdev/tunnel"
)

// upFlags are the flags of up that are no key of the configuration.
type upFlags struct {
	allowLAN      bool
	allowUpstream []string
	faults        []string
	passthrough   bool
	parallel      int
}

func (p *program) upCommand() *cobra.Command {
	var flags upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Open the tunnel, take callbacks, make the exchange, serve the API proxy and the window",
		Long: `up is the main job. It opens the tunnel, prints the callback URLs to paste in the Developer Portal,
shows and stores every callback, spends the authorization code for the access token by itself, and
serves a local proxy that adds the credentials to your API calls.

NGROK_AUTHTOKEN, BC_CLIENT_ID and BC_CLIENT_SECRET in the environment are enough to start.`,
		Args: cobra.NoArgs,
	}
	set := newSettings(c)
	set.text("forward-to", "app.forward_to", "the local app, e.g. http://localhost:3000")
	set.text("exchange", "app.exchange", "who spends the code: auto or app")
	set.text("authtoken", "tunnel.authtoken", "ngrok's authtoken; others on this machine can see it here, NGROK_AUTHTOKEN is better")
	set.text("url", "tunnel.url", "your ngrok domain, e.g. https://you.ngrok-free.app")
	set.text("traffic-policy", "tunnel.traffic_policy", "file with an ngrok traffic policy")
	set.text("tunnel", "tunnel.provider", "ngrok, or none to bring your own")
	set.text("public-url", "tunnel.public_url", "with --tunnel none: what the world sees")
	set.text("listen", "proxy.listen", "address of the API door")
	set.text("store", "proxy.store", "the store that /v3/... means")
	set.text("key", "proxy.key", "off or required")
	set.toggle("read-only", "proxy.read_only", "refuse every call that could change a store")
	set.text("inspector", "inspector.listen", "address of the window")
	set.text("forward-listen", "forward_proxy.listen", "address of the forward door, off when empty")
	f := c.Flags()
	f.BoolVar(&flags.allowLAN, "allow-lan", false, "allow addresses that others can reach; requires the key")
	f.StringArrayVar(&flags.allowUpstream, "allow-upstream", nil, "host that bigcommerce.* may name beside BigCommerce's own")
	f.StringArrayVar(&flags.faults, "fault", nil, "answer at the door, e.g. 'path=/v3/catalog status=429 times=3'")
	f.BoolVar(&flags.passthrough, "passthrough", false, "answer webhooks with the app's own answer, instead of 200 at once")
	f.IntVar(&flags.parallel, "parallel", 4, "resources whose webhooks are brought to the app at the same time")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if flags.parallel < 1 || flags.parallel > 100 {
			return usage(c, fmt.Errorf("--parallel %d: give a number from 1 to 100", flags.parallel))
		}
		cfg, err := p.config(&configured{set.given(), flags.allowUpstream, flags.allowLAN})
		if err != nil {
			return err
		}
		return p.up(c.Context(), cfg, flags)
	}
	return c
}

func (p *program) up(ctx context.Context, cfg *config.Config, flags upFlags) error {
	if err := needsApp(cfg); err != nil {
		return err
	}
	state, err := p.state()
	if err != nil {
		return err
	}
	s := p.session(cfg, state, flags)
	for _, w := range cfg.Warnings {
		s.con.Problem(w.Code, config.Problems{w})
	}
	if err := s.open(ctx); err != nil {
		return interruptedIs(ctx, err)
	}
	defer s.close()
	return s.ended(s.serve(ctx, func() { s.con.Ready(s.ready()) }))
}

func (p *program) session(cfg *config.Config, state string, flags upFlags) *session {
	return &session{
		p: p, cfg: cfg, state: state, flags: flags, con: p.console(), log: p.logger(),
		codes: newCodeBook(), lowQuota: newReminders(), installed: make(chan string, 16), expansions: newExpansions(),
	}
}

// needsApp refuses to start without the two values nothing works without.
func needsApp(cfg *config.Config) error {
	if cfg.App.ClientID != "" && cfg.App.ClientSecret != "" {
		return nil
	}
	return misused("set BC_CLIENT_ID and BC_CLIENT_SECRET (Developer Portal > your app > View Client ID) or in bcdev.yaml; "+
		"\"bcdev demo\" needs neither", "the app's client id and client secret are not set")
}

// interruptedIs makes an orderly end of what an interrupt cut short.
func interruptedIs(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// ended tells an orderly end from a door that died.
func (s *session) ended(err error) error {
	if err == nil {
		return s.con.Err()
	}
	var lost *tunnel.Error
	if errors.As(err, &lost) {
		return &exitError{exitDown, fmt.Errorf("the tunnel ended: %w", err), lost.Hint()}
	}
	return err
}

// tunnelOptions says how the configuration wants the tunnel opened.
func (s *session) tunnelOptions() (tunnel.Options, error) {
	t := s.cfg.Tunnel
	o := tunnel.Options{URL: t.URL, ConnectURL: t.ConnectURL, Logger: s.log}
	o.ClientType, o.ClientVersion = nameToNgrok(version)
	token, err := s.authtoken()
	if err != nil {
		return o, err
	}
	o.Authtoken = token.Reveal()
	if t.TrafficPolicy != "" {
		policy, err := readNamed(t.TrafficPolicy, "tunnel.traffic_policy")
		if err != nil {
			return o, err
		}
		o.TrafficPolicy = string(policy)
	}
	if t.ConnectCAs != "" {
		pem, err := readNamed(t.ConnectCAs, "tunnel.connect_cas")
		if err != nil {
			return o, err
		}
		o.ConnectCAs = x509.NewCertPool()
		if !o.ConnectCAs.AppendCertsFromPEM(pem) {
			return o, misused("give a file with PEM certificates", "tunnel.connect_cas: %s holds no certificate", t.ConnectCAs)
		}
	}
	return o, nil
}

// authtoken is the configuration's token (flag, environment, file), else that of ngrok's own
// configuration file.
func (s *session) authtoken() (redact.Secret, error) {
	if s.cfg.Tunnel.Authtoken != "" {
		return s.cfg.Tunnel.Authtoken, nil
	}
	token, source, err := config.NgrokToken(s.p.Env, s.p.home(), runtime.GOOS)
	if err != nil {
		return "", misused("mend the file, or set NGROK_AUTHTOKEN", "reading ngrok's own configuration: %w", err)
	}
	if token == "" {
		return "", misused("copy your authtoken from https://dashboard.ngrok.com/get-started/your-authtoken into NGROK_AUTHTOKEN; "+
			"\"bcdev demo\" needs none", "ngrok needs an authtoken, and none was given")
	}
	s.log.Debug("authtoken found", "source", source)
	return token, nil
}

// ready is the card that says where everything is.
func (s *session) ready() console.Ready {
	paths := s.cfg.App.Callbacks
	r := console.Ready{
		PublicURL: s.tunnel.URL(), Provider: s.tunnel.Provider(),
		ProxyURL: s.doorURL(), InspectorURL: s.windowURL(), ForwardURL: s.forwardURL(),
		Callbacks: map[string]string{
			"auth": s.callbackURL(paths.Auth), "load": s.callbackURL(paths.Load),
			"uninstall": s.callbackURL(paths.Uninstall), "remove_user": s.callbackURL(paths.RemoveUser),
			"webhooks": s.callbackURL(s.cfg.App.Webhooks),
		},
		Forward: s.cfg.App.ForwardTo, VaultWhere: s.vault.Where(), StateDir: s.state, JournalPath: filepath.Join(s.state, journalFile),
		DraftApps: console.DraftApps,
	}
	if s.cfg.Tunnel.Provider == "none" {
		r.TunnelListen = s.tunnel.Addr().String()
	}
	for _, e := range s.vault.Stores() {
		r.Stores = append(r.Stores, e.Hash)
	}
	if login, err := url.Parse(s.cfg.BigCommerce.LoginURL); err == nil && isLocalHost(login.Hostname()) {
		r.Sandbox, r.ControlURL = true, strings.TrimSuffix(s.cfg.BigCommerce.LoginURL, "/")+"/_control"
		r.Next = sandboxSteps(r)
	}
	return r
}

// sandboxSteps do what a person does in the Developer Portal and the control panel.
func sandboxSteps(r console.Ready) []string {
	callbacks, err := json.Marshal(r.Callbacks)
	if err != nil {
		return nil
	}
	return []string{
		"curl -so /dev/null " + r.ControlURL + "/callbacks -d '" + string(callbacks) + "'",
		"curl -so /dev/null -X POST " + r.ControlURL + "/install",
	}
}

func (s *session) doorURL() string {
	base := localURL(s.listeners.api.Addr())
	if s.doorKey != "" {
		base += "/k/" + s.doorKey
	}
	return base
}

func (s *session) windowURL() string {
	if s.listeners.window == nil {
		return ""
	}
	return localURL(s.listeners.window.Addr()) + "/?key=" + s.windowKey
}

func (s *session) forwardURL() string {
	if s.listeners.forward == nil {
		return ""
	}
	return localURL(s.listeners.forward.Addr())
}
