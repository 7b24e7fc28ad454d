package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

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
receives a webhook and replays the install, then stays up for you to play with until Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.demo(c.Context(), demoOptions{once: once, port: port, chosen: c.Flags().Changed("port")})
		},
	}
	c.Flags().BoolVar(&once, "once", false, "make the journey and exit: 0 when every step held")
	c.Flags().IntVar(&port, "port", 7070, "the first of five ports in a row; 0 takes free ones")
	return c
}

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
			return &exitError{code: exitUsage, err: err}
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
	return p.runDemo(ctx, s, far, j, o.once)
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
		ready.Sandbox, ready.ControlURL = true, far.controlURL()
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
