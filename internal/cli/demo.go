package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bcdev/internal/config"
	"bcdev/internal/sandbox"
	"bcdev/internal/serve"
)

func (p *program) demoCommand() *cobra.Command {
	var once bool
	var port int
	c := &cobra.Command{
		Use:   "demo",
		Short: "The whole journey on this machine: no account, no network",
		Long: `demo runs everything that "bcdev up" runs, with BigCommerce and ngrok played on this machine, over the
real ngrok SDK. It installs an app, shows the callback and the grant, calls the API through the proxy,
receives a webhook and replays the install, then stays up for you to play with until Ctrl-C.

The other commands work on a running demo with its --state-dir: they then take the demo's own app and
store instead of those of your configuration.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.demo(c.Context(), demoOptions{once: once, port: port, chosen: c.Flags().Changed("port")})
		},
	}
	c.Flags().BoolVar(&once, "once", false, "make the journey and exit: 0 when every step held")
	c.Flags().IntVar(&port, "port", 7070, "the first of five ports in a row; 0 takes free ones")
	return c
}

// demoFile is where a demo says what it is made of; it is there while the demo is.
const demoFile = "demo.yaml"

type demoOptions struct {
	once   bool
	port   int
	chosen bool
}

// demo never reads a configuration file or the environment's credentials: it must not touch what
// belongs to a real app.
func (p *program) demo(ctx context.Context, o demoOptions) error {
	state, forget, err := p.demoState()
	if err != nil {
		return err
	}
	defer forget()
	cfg := config.Default()
	addrs := defaultFarAddrs()
	if o.chosen {
		if addrs, err = portAddrs(&cfg, o.port); err != nil {
			return &exitError{exitUsage, err, "for example --port 7170, which takes 7170 to 7174"}
		}
	}
	far, err := openFarSide(addrs, state, sandbox.Options{}, p)
	if err != nil {
		return err
	}
	defer far.close()
	far.apply(&cfg)
	p.private = true
	s := p.session(&cfg, state, upFlags{})
	if err := s.open(ctx); err != nil {
		return interruptedIs(ctx, err)
	}
	defer s.close()
	j, err := newJourney(s, far)
	if err != nil {
		return err
	}
	forgetFile, err := j.writeDemoFile()
	if err != nil {
		return err
	}
	defer forgetFile()
	return p.runDemo(ctx, s, far, j, o.once)
}

// demoFile is the configuration of the demo that runs on the state folder of this run, or nothing.
// With it the other commands find the demo's app and store instead of those of the environment.
func (p *program) demoFile() string {
	if p.stateDir == "" && lookup(p.Env, "BCDEV_STATE_DIR") == "" {
		return ""
	}
	dir, err := p.state()
	if err != nil || !exists(filepath.Join(dir, demoFile)) {
		return ""
	}
	if _, ok := findRunning(dir); !ok {
		return ""
	}
	return filepath.Join(dir, demoFile)
}

// runDemo serves the far side, the session and the demo's own little app, makes the journey,
// and stays up unless it is made once only.
func (p *program) runDemo(ctx context.Context, s *session, far *farSide, j *journey, once bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	farDone := make(chan error, 1)
	go func() { farDone <- serve.Until(ctx, far.door(), j.app.door()) }()

	result := make(chan error, 1)
	err := s.serve(ctx, func() {
		ready := s.ready()
		ready.Next = nil // the journey does it all, and says what comes then
		s.con.Ready(ready)
		go func() {
			result <- j.make(ctx, once)
			if once {
				stop()
			}
		}()
	})
	stop()
	if farErr := <-farDone; farErr != nil && err == nil {
		err = fmt.Errorf("the far side: %w", farErr)
	}
	made := <-result
	if err != nil {
		return s.ended(err)
	}
	if once || !errors.Is(made, context.Canceled) {
		return made
	}
	return nil
}

// demoState is the folder of a demo: the one that was asked for, else one that goes with it.
func (p *program) demoState() (dir string, forget func(), err error) {
	if p.stateDir != "" || lookup(p.Env, "BCDEV_STATE_DIR") != "" {
		dir, err = p.state()
		return dir, func() {}, err
	}
	if dir, err = os.MkdirTemp("", "bcdev-demo-"); err != nil {
		return "", nil, fmt.Errorf("making a folder for the demo: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil // what is left lies in the folder for temporary files
}

// writeDemoFile writes the demo's configuration for the commands beside it, and returns a function
// that removes it. Its client secret is made up and opens nothing but this demo's own sandbox.
func (j *journey) writeDemoFile() (remove func(), err error) {
	cfg, file := j.s.cfg, filepath.Join(j.s.state, demoFile)
	text := fmt.Sprintf(`# The demo's own: nothing here opens anything else, and it goes when the demo ends.
app: {client_id: %q, client_secret: %q, forward_to: %q}
proxy: {listen: %q}
bigcommerce: {login_url: %q, api_url: %q, storefront_url: %q}
`, cfg.App.ClientID, cfg.App.ClientSecret.Reveal(), j.app.url(), j.s.listeners.api.Addr(),
		cfg.BigCommerce.LoginURL, cfg.BigCommerce.APIURL, cfg.BigCommerce.StorefrontURL)
	if err := writePrivate(file, []byte(text)); err != nil {
		return nil, fmt.Errorf("writing %s: %w", demoFile, err)
	}
	return func() { _ = os.Remove(file) }, nil // a file left behind is passed over: the lock tells
}
