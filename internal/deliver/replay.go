package deliver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"bcdev/capture"
)

// Replay says how an exchange is brought to the app again. The zero value brings it as it came,
// with fresh times and signatures.
type Replay struct {
	To *url.URL // instead of the app; its path, when it has one, takes the place of the exchange's
	// AsIs sends the times and signatures that came.
	AsIs bool
	// Set changes parts of the request: "method", "path", "query.NAME", "header.NAME",
	// "body.a.b.0" (JSON, or a form field), "claims.url" (of a signed payload). A JSON value is
	// taken as JSON, anything else as a string.
	Set    map[string]string
	Header http.Header // replaces fields of the same name
	Expect string      // statuses that are fine: "302", "2xx", "200,302"; "" means below 400
	DryRun bool        // prepares everything and sends nothing
}

// Result is what became of a replay.
type Result struct {
	Exchange    capture.Exchange  // the attempt; zero after a dry run
	Sent        []byte            // the request as HTTP/1.1, secrets masked, its body bounded
	Verdict     string            // against the last attempt: Same, Fixed, Regressed or Failing
	Before      *capture.Exchange // the last attempt, when there was one
	Diff        string            // of the answers' bodies, unified; "" when they are the same
	Resigned    []string          // what was signed anew: "signed_payload_jwt", "webhook-signature"
	Differences []string          // between what came and what is sent, for people
	Failed      string            // why the answer counts as a failure; "" when it is fine
}

// ReplayError says why an exchange cannot be replayed as asked.
type ReplayError struct {
	Problem string
	Next    string
	Err     error
}

func (e *ReplayError) Error() string {
	if e.Err != nil {
		return "replaying: " + e.Problem + ": " + e.Err.Error()
	}
	return "replaying: " + e.Problem
}

// Unwrap returns the cause.
func (e *ReplayError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *ReplayError) Hint() string { return e.Next }

// Replay brings e to the app again: a captured exchange, a delivery of one (its original is
// replayed), a fixture, or a triggered one. It spends no code, follows no redirect, and never
// goes to BigCommerce. An app that does not answer is a failed Result, not an error.
func (d *Deliverer) Replay(ctx context.Context, e capture.Exchange, r Replay) (Result, error) {
	if err := checkExpect(r.Expect); err != nil {
		return Result{}, err
	}
	e, err := d.origin(ctx, e)
	if err != nil {
		return Result{}, err
	}
	to, err := d.destination(ctx, e, r.To)
	if err != nil {
		return Result{}, err
	}
	p, err := d.prepare(ctx, e, r, to)
	if err != nil {
		return Result{}, err
	}
	res := Result{Sent: dump(p.req, p.body), Resigned: p.resigned, Differences: p.differences}
	if r.DryRun {
		return res, nil
	}
	res.Before = d.before(ctx, e.ID, true)
	via := "replay"
	if e.ID == 0 && e.Via == "trigger" {
		via = "trigger"
	}
	a, _ := d.do(ctx, p.req, p.body, e, via)
	if res.Before != nil {
		a.Attempt = max(res.Before.Attempt, 1) + 1
	}
	a.Verdict = verdict(res.Before, a)
	if err := ctx.Err(); err != nil {
		return res, err
	}
	res.Exchange, res.Verdict = d.stored(ctx, d.keep(ctx, a)), a.Verdict
	res.Failed = failure(a, r.Expect)
	if res.Before != nil {
		res.Diff = diffAnswers(*res.Before, res.Exchange)
	}
	return res, nil
}

// stored is the attempt as the journal has it: secrets masked on both sides, a diff shows only
// what changed.
func (d *Deliverer) stored(ctx context.Context, a capture.Exchange) capture.Exchange {
	if d.o.Journal == nil || a.ID == 0 {
		return a
	}
	kept, err := d.o.Journal.Get(ctx, strconv.FormatInt(a.ID, 10))
	if err != nil {
		return a
	}
	return kept
}

// origin is what a replay replays: the exchange itself with what was sealed, and for a delivery
// the exchange it delivered.
func (d *Deliverer) origin(ctx context.Context, e capture.Exchange) (capture.Exchange, error) {
	if e.Door == capture.API || e.Kind == capture.Call || e.Kind == capture.Token {
		return e, &ReplayError{
			Problem: "an API call is not brought to the app",
			Next:    "replay a callback or a webhook: bcdev list --kind auth,load,uninstall,remove_user,webhook",
		}
	}
	id := e.ID
	if e.Door == capture.Local && e.Of != 0 {
		id = e.Of
	}
	if d.o.Journal == nil || id == 0 {
		return e, nil
	}
	original, err := d.o.Journal.Reveal(ctx, strconv.FormatInt(id, 10))
	switch {
	case errors.Is(err, capture.ErrNotFound) && id == e.ID:
		return e, nil // from another journal or a file
	case err != nil:
		return e, &ReplayError{Problem: "the exchange cannot be read", Err: err,
			Next: "it may have been pruned; look at what is kept with: bcdev list"}
	}
	return original, nil
}

func (d *Deliverer) destination(ctx context.Context, e capture.Exchange, to *url.URL) (target, error) {
	t := target{to, true}
	if to == nil {
		var ok bool
		if t, ok = d.place(e); !ok {
			return t, &ReplayError{
				Problem: "there is no app to bring it to",
				Next:    "set app.forward_to in bcdev.yaml, or give --to http://localhost:3000",
			}
		}
	}
	if err := d.check(t.url); err != nil {
		return t, err
	}
	return t, d.checkName(ctx, t.url)
}
