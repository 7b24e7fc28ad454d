package cli

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
	"bcdev/internal/console"
	"bcdev/internal/redact"
)

type exchangeFlags struct {
	redirect string
	dryRun   bool
}

func (p *program) exchangeCommand() *cobra.Command {
	var flags exchangeFlags
	c := &cobra.Command{
		Use:   "exchange [URL]",
		Short: "Finish an install by hand: from a callback URL, or from a server log on standard input",
		Long: `exchange finds the auth callback in a URL, or in the lines of a server log on standard input (Rails,
nginx, Apache, Heroku, JSON logs, or a bare query string), shows what it found, and spends the code for
the access token. A code can be spent once, and soon after the install.`,
		Example: "  bcdev exchange 'https://you.ngrok-free.app/auth?code=…&context=stores%2F…&scope=…'\n  bcdev exchange < log/development.log",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.exchange(c.Context(), args, flags)
		},
	}
	c.Flags().StringVar(&flags.redirect, "redirect-uri", "", "the auth callback URL registered in the portal, when it is neither in the URL nor in the configuration")
	c.Flags().BoolVar(&flags.dryRun, "dry-run", false, "show what was found, and send nothing")
	return c
}

// finding is a callback, and where it was found.
type finding struct {
	in    bigcommerce.Install
	where string
	from  *url.URL // of a whole URL: what was registered, most likely
}

func (p *program) exchange(ctx context.Context, args []string, flags exchangeFlags) error {
	cfg, err := p.config(nil)
	if err != nil {
		return err
	}
	if dir, err := p.state(); err == nil {
		joinRunning(cfg, dir)
	}
	found, err := p.findCallbacks(args)
	if err != nil {
		return err
	}
	con := p.console()
	for _, f := range found {
		con.Callback(capture.Exchange{Kind: capture.Auth, Store: f.in.Store}, f.in, nil, nil)
	}
	if flags.dryRun {
		return con.Err()
	}
	if err := needsApp(cfg); err != nil {
		return err
	}
	f, err := p.pick(found)
	if err != nil {
		return err
	}
	redirect, err := redirectOf(f, cfg, flags.redirect)
	if err != nil {
		return err
	}
	return p.spend(ctx, cfg, con, f.in, redirect)
}

// findCallbacks finds each code once, in the argument or on standard input.
func (p *program) findCallbacks(args []string) ([]finding, error) {
	if len(args) > 0 {
		f, err := callbackIn(args[0])
		return []finding{f}, err
	}
	if isTerminalIn(p.In) {
		p.console().Notef("paste the callback URL or the lines of the log, then press Ctrl-D")
	}
	var found []finding
	seen := map[string]bool{}
	number := 0
	read, err := p.lines(func(line string) {
		number++
		in, ok := bigcommerce.ParseLogLine(line)
		if ok && !seen[in.Code] {
			seen[in.Code] = true
			found = append(found, finding{in: in, where: "line " + strconv.Itoa(number)})
		}
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, failed("look for a line with code=, context=stores/ and scope=; in a Rails log it begins with Started GET or Parameters:",
			"%d lines were read, and none holds an install callback", read)
	}
	return found, nil
}

func callbackIn(text string) (finding, error) {
	f := finding{where: "the argument"}
	query := text
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		f.from, query = u, u.RawQuery
	} else if _, after, ok := strings.Cut(text, "?"); ok {
		query = after
	}
	in, err := bigcommerce.ParseInstall(query)
	if err != nil {
		if logged, ok := bigcommerce.ParseLogLine(text); ok {
			f.in = logged
			return f, nil
		}
		return f, fmt.Errorf("reading the callback: %w", err)
	}
	f.in = in
	return f, nil
}

// pick asks which of several callbacks is meant; without a terminal the last one is.
func (p *program) pick(found []finding) (finding, error) {
	last := found[len(found)-1]
	if len(found) == 1 {
		return last, nil
	}
	if !isTerminalIn(p.In) && !isTerminal(p.Out) {
		p.console().Notef("%d callbacks were found; the last one (%s) is exchanged", len(found), last.where)
		return last, nil
	}
	for i, f := range found {
		p.console().Notef("%d: store %s, %s", i+1, f.in.Store, f.where)
	}
	fmt.Fprintf(p.Err, "which one? [%d] ", len(found))
	answer, err := p.ask()
	if err != nil {
		return last, err
	}
	if answer == "" {
		return last, nil
	}
	n, err := strconv.Atoi(answer)
	if err != nil || n < 1 || n > len(found) {
		return last, misused("answer with a number from the list", "%q is none of them", redact.Terminal(answer))
	}
	return found[n-1], nil
}

// ask reads one line from the person. Standard input may hold the log, so the terminal is asked.
func (p *program) ask() (string, error) {
	in, closeIn, err := p.terminalIn()
	if err != nil {
		return "", failed("give the callback's URL as the argument instead", "asking on the terminal: %w", err)
	}
	defer closeIn()
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && line == "" {
		return "", failed("give the callback's URL as the argument instead", "nobody answered: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// redirectOf is the auth callback URL that the portal knows: what the command line says, what the
// configuration's public URL makes of it, or the address of the callback itself.
func redirectOf(f finding, cfg *config.Config, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if f.from != nil {
		return f.from.Scheme + "://" + f.from.Host + f.from.EscapedPath(), nil
	}
	if public := publicOf(cfg); public != nil {
		return joinURL(public.String(), cfg.App.Callbacks.Auth), nil
	}
	return "", misused("give --redirect-uri, byte for byte as it stands in the Developer Portal, or set tunnel.url",
		"the registered auth callback URL is not known: the log holds only its path")
}

// spend makes the exchange, keeps the grant and shows it.
func (p *program) spend(ctx context.Context, cfg *config.Config, con *console.Console, in bigcommerce.Install, redirect string) error {
	dir, err := p.state()
	if err != nil {
		return err
	}
	if err := makePrivate(dir); err != nil {
		return err
	}
	v, err := p.openVault(cfg, dir)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }() // every change is on disk before its call returns
	e := capture.Exchange{Kind: capture.Auth, Store: in.Store}
	if g, spent := v.Spent(in.Code); spent {
		con.Granted(e, g, v.Where(), true)
		return con.Err()
	}
	login, err := url.Parse(cfg.BigCommerce.LoginURL)
	if err != nil {
		return fmt.Errorf("bigcommerce.login_url: %w", err)
	}
	client := bigcommerce.Client{Login: login, App: appOf(cfg), HTTP: noRedirects(http.DefaultTransport, exchangeLimit)}
	g, err := client.Exchange(context.WithoutCancel(ctx), in, redirect)
	if err != nil {
		return err
	}
	if err := v.PutFor(in.Code, g); err != nil {
		return fmt.Errorf("keeping the grant: %w", err)
	}
	con.Granted(e, g, v.Where(), false)
	return con.Err()
}
