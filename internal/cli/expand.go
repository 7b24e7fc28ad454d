package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/deliver"
)

const (
	expandLimit = 4 << 20 // bytes read of a resource
	lookedBack  = 50      // exchanges looked at for the last time a resource was fetched
)

// expander fetches what a webhook is about: payloads hold only ids.
type expander struct {
	journal *capture.Journal
	client  *http.Client // the API chain
	api     *url.URL
}

// expansion is a resource that was fetched for an event.
type expansion struct {
	Of       int64  `json:"of"` // the event
	ID       int64  `json:"id"` // the exchange that fetched it
	Store    string `json:"store"`
	Resource string `json:"resource"`    // "order"
	Which    string `json:"resource_id"` // "118"
	Path     string `json:"path"`        // of the API, without the store
	Status   int    `json:"status"`
	Hint     string `json:"hint,omitempty"`
	Before   int64  `json:"before,omitempty"`  // the exchange that fetched it the last time
	Changes  string `json:"changes,omitempty"` // since then, as a diff
}

func (s *session) expander() (*expander, error) {
	api, err := url.Parse(s.cfg.BigCommerce.APIURL)
	if err != nil {
		return nil, fmt.Errorf("bigcommerce.api_url: %w", err)
	}
	return &expander{s.journal, s.errandClient(), api}, nil
}

// expand fetches the resource of the event that is exchange id, through the API chain, stores it
// beside the event, and says what changed since it was fetched the last time.
func (x *expander) expand(ctx context.Context, id int64) (expansion, error) {
	e, err := x.journal.Get(ctx, strconv.FormatInt(id, 10))
	if err != nil {
		return expansion{}, fmt.Errorf("expanding exchange %d: %w", id, err)
	}
	out, err := resourceOf(e)
	if err != nil {
		return out, err
	}
	if err := x.fetch(ctx, &out); err != nil {
		return out, fmt.Errorf("fetching %s %s: %w", out.Resource, out.Which, err)
	}
	if err := x.compare(ctx, &out); err != nil {
		return out, fmt.Errorf("comparing %s %s with the last time: %w", out.Resource, out.Which, err)
	}
	return out, nil
}

// resourceOf finds out what an event is about. The path is made of ids that were checked; an
// event is a stranger's text.
func resourceOf(e capture.Exchange) (expansion, error) {
	if e.Kind != capture.Hook {
		return expansion{}, misused("name a webhook: \"bcdev list --kind webhook\" shows them", "exchange %d is no webhook, there is nothing to expand", e.ID)
	}
	w, err := bigcommerce.ParseWebhook(e.Request.Body)
	if err != nil {
		return expansion{}, fmt.Errorf("expanding exchange %d: %w", e.ID, err)
	}
	out := expansion{Of: e.ID, Store: w.Store}
	out.Resource, out.Which, out.Path = w.Resource()
	if out.Store == "" {
		out.Store = e.Store
	}
	switch {
	case !bigcommerce.ValidStoreHash(out.Store):
		return out, failed("", "the event of exchange %d names no store", e.ID)
	case out.Path == "" && strings.HasSuffix(w.Scope, "/deleted"):
		return out, failed("", "%s %s was deleted: there is nothing left to fetch", out.Resource, out.Which)
	case out.Path == "":
		return out, failed("", "no API path is known for what %s speaks of", w.Scope)
	}
	return out, nil
}

func (x *expander) fetch(ctx context.Context, out *expansion) error {
	task := &errand{via: "expand", of: out.Of}
	address := strings.TrimSuffix(x.api.String(), "/") + "/stores/" + out.Store + out.Path
	req, err := http.NewRequestWithContext(onErrand(ctx, task), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	res, err := x.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, expandLimit)); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	out.ID, out.Status, out.Hint = task.id, res.StatusCode, res.Header.Get("Bcdev-Hint")
	return nil
}

// compare looks for the last time the same resource was fetched, and notes what changed.
func (x *expander) compare(ctx context.Context, out *expansion) error {
	if err := x.journal.Flush(ctx); err != nil {
		return err
	}
	now, err := x.journal.Get(ctx, strconv.FormatInt(out.ID, 10))
	if err != nil {
		return err
	}
	before, ok, err := x.before(ctx, now)
	if err != nil {
		return err
	}
	if ok && now.Status == http.StatusOK {
		out.Before, out.Changes = before.ID, deliver.Diff(before, now)
	}
	detail, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return x.journal.Amend(ctx, out.ID, func(e *capture.Exchange) { e.Detail = detail })
}

// before is the last expansion with the same target that was answered.
func (x *expander) before(ctx context.Context, now capture.Exchange) (capture.Exchange, bool, error) {
	path, _, _ := strings.Cut(now.Target, "?")
	found, err := x.journal.Find(ctx, capture.Query{
		Door: capture.API, Kinds: []capture.Kind{capture.Call}, Store: now.Store, Path: path,
		Status: "200", Before: now.ID, Limit: lookedBack,
	})
	if err != nil {
		return now, false, err
	}
	for _, e := range found {
		if e.Via == "expand" && e.Target == now.Target {
			e, err = x.journal.Get(ctx, strconv.FormatInt(e.ID, 10))
			return e, err == nil, err
		}
	}
	return now, false, nil
}

// showExpanded is "bcdev show REF --expand".
func (p *program) showExpanded(ctx context.Context, ref string, show func(capture.Exchange)) error {
	state, err := p.state()
	if err != nil {
		return err
	}
	r, err := p.openReader(ctx, false)
	if err != nil {
		return err
	}
	defer r.close()
	e, err := r.journal.Reveal(ctx, ref)
	if err != nil {
		return unknownRef(ref, err)
	}
	s, err := p.errandSession(r, state)
	if err != nil {
		return err
	}
	defer s.endErrands()
	x, err := s.expander()
	if err != nil {
		return err
	}
	show(e)
	out, err := x.expand(ctx, e.ID)
	if err != nil {
		return err
	}
	fetched, err := r.journal.Get(ctx, strconv.FormatInt(out.ID, 10))
	if err != nil {
		return err
	}
	show(fetched)
	s.tellExpansion(out)
	if out.Status != http.StatusOK {
		return errors.Join(failed(out.Hint, "fetching %s %s: BigCommerce answered %d", out.Resource, out.Which, out.Status), s.con.Err())
	}
	return s.con.Err()
}

// tellExpansion says what changed since the resource was fetched the last time.
func (s *session) tellExpansion(out expansion) {
	if s.p.json {
		s.con.JSONLine("expansion", out)
		return
	}
	what := strings.TrimSpace(out.Resource+" "+out.Which) + fmt.Sprintf(" (#%d, of #%d)", out.ID, out.Of)
	switch {
	case out.Status != http.StatusOK:
		s.con.Notef("%s: BigCommerce answered %d", what, out.Status)
	case out.Before == 0:
		s.con.Notef("%s: fetched for the first time", what)
	case out.Changes == "":
		s.con.Notef("%s: as it was in #%d", what, out.Before)
	default:
		s.con.Notef("%s: changed since #%d", what, out.Before)
		s.con.Print(out.Changes)
	}
}
