package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/capture"
	"bcdev/internal/config"
	"bcdev/internal/console"
	"bcdev/internal/deliver"
	"bcdev/internal/redact"
)

type replayFlags struct {
	to, expect, watch string
	asIs, dryRun      bool
	allowRemote       bool
	set, headers      []string
	times             int
	every             time.Duration
}

func (p *program) replayCommand() *cobra.Command {
	var flags replayFlags
	c := &cobra.Command{
		Use:   "replay REF|FILE…",
		Short: "Bring a captured callback or webhook to the local app again",
		Long: `replay brings captured exchanges to the local app again, with or without a running "bcdev up". Signed
payloads and webhook signatures get fresh times and are signed anew; an install is replayable because
bcdev keeps the grant. A replay never spends a code and never reaches BigCommerce.

Files are fixtures that "bcdev export REF -o FILE" wrote. The exit code is 1 when an answer is 4xx or
5xx, or not what --expect says.`,
		Example: "  bcdev replay latest auth\n  bcdev replay 17 --set claims.url=/orders --times 5 --every 1s\n" +
			"  bcdev replay callbacks/*.json --expect 302 --to http://localhost:3000",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := flags.replay()
			if err != nil {
				return usage(c, err)
			}
			return p.replay(c.Context(), args, flags, r)
		},
	}
	f := c.Flags()
	f.StringVar(&flags.to, "to", "", "URL of the app, instead of app.forward_to")
	f.StringVar(&flags.expect, "expect", "", "statuses that are fine: 302, 2xx, or 200,302")
	f.BoolVar(&flags.asIs, "as-is", false, "send the times and signatures that came")
	f.StringArrayVar(&flags.set, "set", nil, "change a part: query.url=/x, body.a.b=1, claims.url=/x, method=POST")
	f.StringArrayVar(&flags.headers, "header", nil, "replace a header, 'name: value'")
	f.IntVar(&flags.times, "times", 1, "how often")
	f.DurationVar(&flags.every, "every", 0, "time between two of them")
	f.StringVar(&flags.watch, "watch", "", "replay again whenever a file below this path is saved")
	f.BoolVar(&flags.dryRun, "dry-run", false, "show what would be sent and what differs, and send nothing")
	f.BoolVar(&flags.allowRemote, "allow-remote", false, "allow targets beyond this machine")
	return c
}

func (f replayFlags) replay() (deliver.Replay, error) {
	r := deliver.Replay{AsIs: f.asIs, Expect: f.expect, DryRun: f.dryRun, Set: map[string]string{}}
	if f.to != "" {
		u, err := url.Parse(f.to)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return r, fmt.Errorf("--to %q is no http or https URL", f.to)
		}
		r.To = u
	}
	for _, pair := range f.set {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return r, fmt.Errorf("--set %q: write it as part=value, e.g. query.url=/x", pair)
		}
		r.Set[name] = value
	}
	h, err := parseHeaders(f.headers)
	if err != nil {
		return r, err
	}
	r.Header = h
	if f.times < 1 || f.every < 0 {
		return r, errors.New("--times takes a number from 1 on, --every a time like 2s")
	}
	return r, nil
}

func (p *program) replay(ctx context.Context, args []string, flags replayFlags, r deliver.Replay) error {
	cast, courier, err := p.openCourier(ctx, flags.allowRemote)
	if err != nil {
		return err
	}
	defer cast.close()
	subjects, err := cast.subjects(ctx, args)
	if err != nil {
		return err
	}
	run := replayRun{p.console(), courier, r, flags, len(subjects) > 1}
	err = run.all(ctx, subjects)
	var shown *saidError
	if flags.watch == "" || ctx.Err() != nil || err != nil && !errors.As(err, &shown) {
		return err // also what no save can mend
	}
	run.con.Notef("watching %s: every save replays again, Ctrl-C ends it", flags.watch)
	return watchFiles(ctx, flags.watch, func() {
		if err := run.all(ctx, subjects); err != nil && !errors.As(err, &shown) {
			run.con.Problem("replay", err)
		}
	})
}

// openCourier opens the journal for writing, beside a running bcdev or without one, and a
// deliverer on it.
func (p *program) openCourier(ctx context.Context, allowRemote bool) (*reader, *deliver.Deliverer, error) {
	r, err := p.openReader(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	app, routes, err := destinations(r.cfg)
	if err != nil {
		r.close()
		return nil, nil, err
	}
	o := deliverTo(r.cfg, app, routes)
	o.Journal, o.AllowRemote, o.Logger = r.journal, allowRemote, p.logger()
	o.Code = func(store string, _ []string) string { return freshCode(r.vault, store) }
	if public := publicOf(r.cfg); public != nil {
		o.Public = func() *url.URL { return public }
	}
	return r, deliver.New(o), nil
}

// publicOf is the public URL as far as the configuration knows it.
func publicOf(cfg *config.Config) *url.URL {
	for _, text := range []string{cfg.Tunnel.PublicURL, cfg.Tunnel.URL} {
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			return u
		}
	}
	return nil
}

// subject is one thing to replay, and its name in the table.
type subject struct {
	name string
	e    capture.Exchange
}

// subjects are the exchanges that args name: fixture files, or one reference.
func (r *reader) subjects(ctx context.Context, args []string) ([]subject, error) {
	if !isFile(args[0]) {
		ref := strings.Join(args, " ")
		e, err := r.journal.Get(ctx, ref)
		if err != nil {
			return nil, unknownRef(ref, err)
		}
		return []subject{{"#" + strconv.FormatInt(e.ID, 10), e}}, nil
	}
	var all []subject
	for _, name := range args {
		e, err := readFixture(name)
		if err != nil {
			return nil, err
		}
		all = append(all, subject{name, e})
	}
	return all, nil
}

// isFile tells a file's name from a reference: it is there, or it looks like a path.
func isFile(arg string) bool {
	return strings.HasSuffix(arg, ".json") || strings.ContainsRune(arg, filepath.Separator) && !strings.HasPrefix(arg, "latest") && exists(arg)
}

func readFixture(name string) (capture.Exchange, error) {
	f, err := os.Open(name)
	if err != nil {
		return capture.Exchange{}, failed("\"bcdev export REF -o FILE\" writes one", "opening the fixture: %w", err)
	}
	defer f.Close()
	e, err := deliver.ReadFixture(f)
	if err != nil {
		return e, fmt.Errorf("reading the fixture %s: %w", redact.Terminal(name), err)
	}
	return e, nil
}

// replayRun is one run of the command.
type replayRun struct {
	con     *console.Console
	courier *deliver.Deliverer
	replay  deliver.Replay
	flags   replayFlags
	table   bool
}

// all replays every subject as often as asked, and fails when one of the answers does.
func (r replayRun) all(ctx context.Context, subjects []subject) error {
	bad := false
	var rows [][]string
	for _, s := range subjects {
		for n := range r.flags.times {
			if n > 0 && !pause(ctx, r.flags.every) {
				break
			}
			result, err := r.courier.Replay(ctx, s.e, r.replay)
			if err != nil && r.table {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if err != nil {
				return err
			}
			bad = bad || result.Failed != ""
			rows = append(rows, row(s, result))
			if s.e.Via == "trigger" { // nothing came before: there is nothing to differ from
				result.Resigned, result.Differences = nil, nil
			}
			r.show(result)
		}
	}
	if r.table && !r.replay.DryRun {
		r.con.Table([]string{"what", "kind", "status", "verdict", "time", ""}, rows)
	}
	if bad {
		return &saidError{exitFailed}
	}
	return r.con.Err()
}

func row(s subject, result deliver.Result) []string {
	e := result.Exchange
	name := string(s.e.Kind)
	if s.e.Topic != "" {
		name = s.e.Topic
	}
	status := strconv.Itoa(e.Status)
	if e.Status == 0 {
		status = "-"
	}
	return []string{s.name, name, status, result.Verdict, e.Took.Round(time.Millisecond).String(), result.Failed}
}

// show tells one replay: what differs, the answer, and how it compares with the last one.
func (r replayRun) show(result deliver.Result) {
	r.con.Replay(console.Replayed{
		Exchange: result.Exchange, DryRun: r.replay.DryRun, Sent: result.Sent, Verdict: result.Verdict,
		Resigned: result.Resigned, Differences: result.Differences, Diff: result.Diff,
		Failed: result.Failed, Brief: r.table,
	})
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
