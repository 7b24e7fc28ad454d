// Package cli is the command line: one file a command. It introduces the rooms to each other;
// up.go and session.go show how.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bcdev/internal/console"
)

// Host is what a program finds around itself: streams, environment, folder.
type Host struct {
	Name     string // how it was called; "": bcdev
	In       io.Reader
	Out, Err *os.File
	Env      []string
	Dir      string
	Signals  <-chan os.Signal // the first asks to end, the second ends; nil: never asked
}

// System is the host of a real process.
func System() Host {
	dir, _ := os.Getwd()
	return Host{Name: os.Args[0], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ(), Dir: dir, Signals: systemSignals()}
}

// program is one run of bcdev: the host and the global flags.
type program struct {
	Host
	ctx context.Context // ends with the first interrupt

	configFile string
	json       bool
	verbose    bool
	noColor    bool
	stateDir   string

	private bool // a demo: grants stay in its own folder, whatever keyring there is
}

// Main runs one command and returns its exit code. It is the only place that prints an error.
func Main(args []string, h Host) int {
	ctx, taken, stop := interrupts(context.Background(), h.Signals)
	defer stop()
	p := &program{Host: h, ctx: ctx}
	code := make(chan int, 1)
	go func() { code <- p.run(args) }()
	select {
	case c := <-code:
		return c
	case <-taken: // the second interrupt does not wait for anybody
		return exitInterrupted
	}
}

func (p *program) run(args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	err := root.ExecuteContext(p.ctx)
	if err == nil || brokenPipe(err) {
		return exitFine
	}
	var said *saidError
	if !errors.As(err, &said) {
		p.explain(err)
	}
	return exitCode(err)
}

// explain prints an error for a person, and with --json also for a program.
func (p *program) explain(err error) {
	color, _ := console.Decide(p.Err, p.Env, p.noColor)
	console.Explain(p.Err, err, color)
	if p.json {
		p.console().Problem(problemCode(err), err)
	}
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bcdev",
		Short: "The local companion of a BigCommerce app developer",
		Long: `bcdev opens a tunnel for your BigCommerce app's callbacks, shows what arrives, makes the token
exchange by itself, and serves a local proxy that adds the credentials to your API calls.

Start with "bcdev demo": the whole journey on this machine, with no account.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&p.configFile, "config", "", "configuration file (default ./bcdev.yaml, then the user's config folder)")
	f.BoolVar(&p.json, "json", false, "print NDJSON: one object a line")
	f.BoolVarP(&p.verbose, "verbose", "v", false, "say more on stderr")
	f.BoolVar(&p.noColor, "no-color", false, "print no colours")
	f.StringVar(&p.stateDir, "state-dir", "", "folder for journal and grants (also BCDEV_STATE_DIR)")
	root.SetFlagErrorFunc(flagMisuse)
	root.AddCommand(p.commands()...)
	strictCompletion(root)
	strictArguments(root)
	return root
}

// console makes the terminal's teller for this run.
func (p *program) console() *console.Console { return p.consoleAt(nil) }

// consoleAt tells times against another clock; nil is the real one.
func (p *program) consoleAt(now func() time.Time) *console.Console {
	color, width := console.Decide(p.Out, p.Env, p.noColor)
	errColor, _ := console.Decide(p.Err, p.Env, p.noColor)
	return console.New(console.Options{
		Out: p.Out, Err: p.Err, JSON: p.json, Color: color, ErrColor: errColor, ASCII: !console.UTF8(p.Env), Width: width,
		Verbose: p.verbose, Interactive: isTerminal(p.Out), Now: now,
	})
}
