package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bcdev/capture"
	"bcdev/internal/console"
)

func (p *program) listCommand() *cobra.Command {
	var q queryFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List what crossed the doors, newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query, err := q.query(time.Now())
			if err != nil {
				return usage(c, err)
			}
			r, err := p.openReader(c.Context(), true)
			if err != nil {
				return err
			}
			defer r.close()
			found, err := r.journal.Find(c.Context(), query)
			if err != nil {
				return fmt.Errorf("reading the journal: %w", err)
			}
			con := p.console()
			con.List(found)
			return con.Err()
		},
	}
	q.add(c)
	return c
}

// queryFlags are the filters that list, export and prune share; prune takes all that they select.
type queryFlags struct {
	kinds                              []string
	door, store, topic, status, method string
	path, text, since                  string
	limit                              int
	before                             int64
}

// add adds the filters and how many to show of what they select.
func (q *queryFlags) add(c *cobra.Command) {
	q.addFilters(c)
	c.Flags().IntVarP(&q.limit, "limit", "n", 50, "how many, at most 1000")
}

func (q *queryFlags) addFilters(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&q.kinds, "kind", nil, "auth, load, uninstall, remove_user, webhook, api, token")
	f.StringVar(&q.door, "door", "", "public, api or app")
	f.StringVar(&q.store, "store", "", "store hash")
	f.StringVar(&q.topic, "topic", "", "webhook scope, e.g. store/order/*")
	f.StringVar(&q.status, "status", "", "404, 4xx, >=500, or 0 for no answer")
	f.StringVar(&q.method, "method", "", "request method")
	f.StringVar(&q.path, "path", "", "prefix of the path, or a part of it when it does not start with /")
	f.StringVar(&q.text, "text", "", "part of the target, topic, hint or error")
	f.StringVar(&q.since, "since", "", "an age (90m, 24h, 7d) or a time (2026-11-22T15:04:05Z)")
	f.Int64Var(&q.before, "before", 0, "only IDs below this one, for paging")
}

// kinds are what --kind takes.
var kinds = []string{"auth", "load", "uninstall", "remove_user", "webhook", "api", "token", "other"}

func (q *queryFlags) query(now time.Time) (capture.Query, error) {
	out := capture.Query{
		Door: capture.Door(q.door), Store: q.store, Topic: q.topic, Status: q.status,
		Method: strings.ToUpper(q.method), Path: q.path, Text: q.text, Before: q.before, Limit: q.limit,
	}
	for _, k := range q.kinds {
		if k == "install" { // as the list calls it
			k = string(capture.Auth)
		}
		if !slices.Contains(kinds, k) {
			return out, fmt.Errorf("--kind %q: give one of %s", k, strings.Join(kinds, ", "))
		}
		out.Kinds = append(out.Kinds, capture.Kind(k))
	}
	if q.door != "" && !slices.Contains([]capture.Door{capture.Public, capture.API, capture.Local}, out.Door) {
		return out, fmt.Errorf("--door %q: give public, api or app", q.door)
	}
	if _, _, err := capture.ParseStatus(q.status); err != nil && q.status != "" {
		return out, fmt.Errorf("--status %q: give a status (404), a class (4xx), a comparison (>=500), or 0 for no answer", q.status)
	}
	if q.limit < 1 || q.limit > 1000 {
		return out, fmt.Errorf("--limit %d: give a number from 1 to 1000", q.limit)
	}
	if q.since != "" {
		at, err := parseSince(q.since, now)
		if err != nil {
			return out, err
		}
		out.Since = at
	}
	return out, nil
}

// parseSince reads an age or a time.
func parseSince(s string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	age := s
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	d, err := time.ParseDuration(age)
	if err != nil || d < 0 {
		return time.Time{}, fmt.Errorf("--since %q: give an age like 90m, 24h or 7d, or a time like 2026-11-22T15:04:05Z", s)
	}
	return now.Add(-d), nil
}

func (p *program) showCommand() *cobra.Command {
	var o console.ShowOptions
	var expand bool
	c := &cobra.Command{
		Use:   "show REF",
		Short: "Show one exchange: decoded, headers, body",
		Long:  `show prints one exchange. REF is an ID (17), "latest", "latest auth", or "latest store/order/created".`,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ref := strings.Join(args, " ")
			if expand {
				return p.showExpanded(c.Context(), ref, func(e capture.Exchange) { p.console().Show(e, o) })
			}
			r, err := p.openReader(c.Context(), true)
			if err != nil {
				return err
			}
			defer r.close()
			e, err := r.journal.Reveal(c.Context(), ref)
			if err != nil {
				return unknownRef(ref, err)
			}
			con := p.console()
			con.Show(e, o)
			return con.Err()
		},
	}
	c.Flags().BoolVar(&o.Raw, "raw", false, "the body's bytes as they are, and nothing else")
	c.Flags().BoolVar(&o.Headers, "headers", false, "every header")
	c.Flags().BoolVar(&expand, "expand", false, "fetch what a webhook is about, and show what changed since the last time")
	return c
}

func unknownRef(ref string, err error) error {
	if errors.Is(err, capture.ErrNotFound) {
		return failed("see \"bcdev list\" for what there is", "no exchange %q in the journal", ref)
	}
	return fmt.Errorf("reading exchange %q: %w", ref, err)
}
