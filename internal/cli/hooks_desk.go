package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
	"bcdev/internal/console"
	"bcdev/internal/hooks"
)

const (
	hookBookFile = "hooks.json"
	hooksLimit   = 2 * time.Minute // for one call about registrations, waits for the quota included
)

// desk is where a command works on one store's webhook registrations.
type desk struct {
	p     *program
	cfg   *config.Config
	con   *console.Console
	state string
	store string
	hooks hooks.Client
	book  *hooks.Book
	seen  func(context.Context) (int, time.Time, error) // what waits for the local app
}

// withDesk opens a desk for a command that runs beside "bcdev up" or without one, for the store
// that is named, else the current one.
func (p *program) withDesk(ctx context.Context, store string, do func(context.Context, *desk) error) error {
	state, err := p.state()
	if err != nil {
		return err
	}
	r, err := p.openReader(ctx, false)
	if err != nil {
		return err
	}
	defer r.close()
	s, err := p.errandSession(r, state)
	if err != nil {
		return err
	}
	defer s.endErrands()
	hash, err := chosen(r.vault, named(store))
	if err != nil {
		return storeError(r.vault, err)
	}
	d, err := s.desk(hash)
	if err != nil {
		return err
	}
	return do(onErrand(ctx, &errand{via: "hooks"}), d)
}

func named(store string) []string {
	if store == "" {
		return nil
	}
	return []string{store}
}

// errandSession is a session of which only the API chain is used.
func (p *program) errandSession(r *reader, state string) (*session, error) {
	s := p.session(r.cfg, state, upFlags{})
	s.vault, s.journal = r.vault, r.journal
	return s, s.buildDoor()
}

// endErrands lets go of the connections.
func (s *session) endErrands() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.door.Shutdown(ctx); err != nil {
		s.log.Debug("closing the API chain", "error", err)
	}
}

// errandClient makes calls to the API through the chain of the doors.
func (s *session) errandClient() *http.Client { return noRedirects(s.door.Transport(), hooksLimit) }

// desk opens the registrations of a store.
func (s *session) desk(store string) (*desk, error) {
	if err := s.openHookBook(context.Background()); err != nil {
		return nil, err
	}
	api, err := url.Parse(s.cfg.BigCommerce.APIURL)
	if err != nil {
		return nil, fmt.Errorf("bigcommerce.api_url: %w", err)
	}
	return &desk{
		p: s.p, cfg: s.cfg, con: s.con, state: s.state, store: store, book: s.hookBook,
		hooks: hooks.Client{HTTP: s.errandClient(), API: api, Store: store},
		seen:  s.journal.Waiting,
	}, nil
}

// openHookBook reads what was registered from this state folder.
func (s *session) openHookBook(context.Context) (err error) {
	if s.hookBook == nil {
		s.hookBook, err = hooks.OpenBook(filepath.Join(s.state, hookBookFile))
	}
	return err
}

// wanted are the registrations that the configuration asks for.
func wanted(cfg *config.Config) []hooks.Want {
	var all []hooks.Want
	for _, h := range cfg.App.Hooks {
		path := h.Destination
		if path == "" {
			path = cfg.App.Webhooks
		}
		all = append(all, hooks.Want{Scope: h.Scope, Path: path})
	}
	return all
}

// situation is what a plan for base is made from.
func (d *desk) situation(existing []hooks.Hook, base string, adopt bool) hooks.Situation {
	s := hooks.Situation{Existing: existing, Wanted: wanted(d.cfg), Base: base, Maker: d.book.Maker(d.store)}
	if adopt {
		s.Adopt = func(h hooks.Hook) bool {
			return !d.book.Colleague(h) && (d.book.Ours(h.Host()) || joinURL(base, h.Path()) == h.Destination)
		}
	}
	return s
}

// base is the public URL that registrations are to lead to.
func (d *desk) base() (string, error) {
	public, err := publicURL(d.cfg, d.state)
	if err != nil {
		return "", err
	}
	base := joinURL(public, "")
	return base, hooks.CheckBase(base)
}

// checkScopes refuses what BigCommerce has no events for, and proposes what may have been meant.
func checkScopes(scopes []string) error {
	for _, scope := range scopes {
		nearest, ok := bigcommerce.ValidHookScope(scope)
		if ok {
			continue
		}
		next := "\"bcdev trigger --list\" shows the events there are; a family ends in /*"
		if len(nearest) > 0 {
			next = "did you mean " + orList(nearest) + "?"
		}
		return misused(next, "no webhook can be registered for %q", scope)
	}
	return nil
}

func orList(names []string) string {
	text := ""
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " or "
		default:
			text += ", "
		}
		text += n
	}
	return text
}

// webhookPaths are the paths at which webhooks arrive beside app.webhooks: those the configuration
// names, and those of registrations that were made earlier and still stand.
func (s *session) webhookPaths() []string {
	own := s.cfg.App.Callbacks
	taken := map[string]bool{
		own.Auth: true, own.Load: true, own.Uninstall: true, own.RemoveUser: true, s.cfg.App.Webhooks: true, "": true,
	}
	paths := s.hookBook.Paths()
	for _, w := range wanted(s.cfg) {
		paths = append(paths, pathOnly(w.Path))
	}
	var more []string
	for _, path := range paths {
		if !taken[path] {
			taken[path] = true
			more = append(more, path)
		}
	}
	return more
}

func pathOnly(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Path
}
