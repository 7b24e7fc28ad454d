package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"bcdev/internal/hooks"
)

const (
	hooksAtStart = time.Minute     // for all stores together
	hooksAtEnd   = 4 * time.Second // the same, on the way down
	storesLooked = 20              // stores whose registrations are looked at
)

// keepHooks sees to the stores' webhook registrations while bcdev is up: at the start and after
// each install it synchronises them or says what is wrong, at the end it does what hooks.on_exit
// says.
func (s *session) keepHooks(ctx context.Context) {
	ctx = onErrand(ctx, &errand{via: "hooks"})
	first := s.hookBook.Empty() && len(s.cfg.App.Hooks) == 0
	if u, err := url.Parse(s.tunnel.URL()); err == nil {
		if err := s.hookBook.Visit(u.Host); err != nil {
			s.con.Problem("hooks", err)
		}
	}
	if !first || s.cfg.Hooks.OnStart == "sync" {
		s.lookAtHooks(ctx)
	}
	for {
		select {
		case store := <-s.installed:
			s.lookAt(ctx, store)
		case <-ctx.Done():
			s.leaveHooks(context.WithoutCancel(ctx))
			return
		}
	}
}

// noteInstall has the registrations of a store looked at: BigCommerce deletes them when an app is
// uninstalled. It never waits.
func (s *session) noteInstall(store string) {
	if s.cfg.Hooks.OnStart != "sync" && len(s.cfg.App.Hooks) == 0 {
		return
	}
	select {
	case s.installed <- store:
	default:
	}
}

func (s *session) lookAtHooks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, hooksAtStart)
	defer cancel()
	for _, store := range s.someStores() {
		s.lookAt(ctx, store)
	}
}

func (s *session) someStores() []string {
	var hashes []string
	for _, e := range s.vault.Stores() {
		if len(hashes) < storesLooked {
			hashes = append(hashes, e.Hash)
		}
	}
	return hashes
}

// lookAt synchronises one store's registrations, or warns.
func (s *session) lookAt(ctx context.Context, store string) {
	d, err := s.desk(store)
	if err == nil && s.cfg.Hooks.OnStart == "sync" {
		err = s.syncStore(ctx, d)
	} else if err == nil {
		err = s.warnStore(ctx, d)
	}
	switch {
	case err == nil || ctx.Err() != nil:
	case s.cfg.Hooks.OnStart == "sync":
		s.con.Problem("hooks", fmt.Errorf("synchronising the webhooks of store %s: %w", store, err))
	default: // nobody asked
		s.log.Debug("looking at the webhooks", "store", store, "error", err)
	}
}

func (s *session) syncStore(ctx context.Context, d *desk) error {
	if err := checkScopes(scopesOf(wanted(s.cfg))); err != nil {
		return fmt.Errorf("app.hooks: %w", err)
	}
	base := joinURL(s.tunnel.URL(), "")
	if err := hooks.CheckBase(base); err != nil {
		return err
	}
	plan, err := d.plan(ctx, base, false)
	if err != nil {
		return err
	}
	count := map[hooks.Verb]int{}
	err = hooks.Apply(ctx, d.hooks, d.book, plan, func(done hooks.Done) {
		if done.Err == nil {
			count[done.Do]++
		}
		if s.p.json {
			d.tellDone(done)
		}
	})
	var words []string
	for _, do := range []hooks.Verb{hooks.Add, hooks.Repoint, hooks.Enable, hooks.Remove} {
		if count[do] > 0 {
			words = append(words, fmt.Sprintf("%d %s", count[do], didWord(do)))
		}
	}
	if len(words) > 0 {
		s.con.Notef("webhooks of store %s: %s", d.store, strings.Join(words, ", "))
	}
	if count[hooks.Add]+count[hooks.Repoint] > 0 {
		d.firstEvent()
	}
	return err
}

// warnStore says which registrations lead to an earlier address of ours, are inactive, or miss.
func (s *session) warnStore(ctx context.Context, d *desk) error {
	existing, err := d.hooks.List(ctx)
	if err != nil {
		return err
	}
	situation := d.situation(existing, joinURL(s.tunnel.URL(), ""), false)
	elsewhere, inactive := hooks.Astray(situation, s.hookBook.Ours)
	missing := 0
	for _, step := range hooks.Make(situation) {
		if step.Do == hooks.Add {
			missing++
		}
	}
	var words []string
	if len(elsewhere) > 0 {
		words = append(words, counted(len(elsewhere), "webhook")+" lead to an earlier address ("+elsewhere[0].Host()+")")
	}
	if len(inactive) > 0 {
		words = append(words, fmt.Sprintf("%d inactive", len(inactive)))
	}
	if missing > 0 {
		words = append(words, fmt.Sprintf("%d of app.hooks not registered", missing))
	}
	if len(words) == 0 {
		return nil
	}
	next := "\"bcdev hooks sync\" mends it; hooks.on_start: sync does so by itself"
	if strangers(situation, append(elsewhere, inactive...)) {
		next += "; --adopt takes those along that bcdev did not make"
	}
	s.con.Problem("hooks_astray", failed(next, "store %s: %s", d.store, strings.Join(words, ", ")))
	return nil
}

func strangers(situation hooks.Situation, found []hooks.Hook) bool {
	for _, h := range found {
		if situation.Maker(h) == hooks.Stranger {
			return true
		}
	}
	return false
}

// leaveHooks does what hooks.on_exit says to the registrations of ours that lead here.
func (s *session) leaveHooks(ctx context.Context) {
	if s.cfg.Hooks.OnExit == "keep" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hooksAtEnd)
	defer cancel()
	for _, store := range s.someStores() {
		d, err := s.desk(store)
		if err == nil {
			err = s.leaveStore(ctx, d)
		}
		if err != nil {
			s.con.Problem("hooks", failed("\"bcdev hooks list\" shows what is left",
				"leaving the webhooks of store %s (hooks.on_exit: %s): %w", store, s.cfg.Hooks.OnExit, err))
		}
	}
}

func (s *session) leaveStore(ctx context.Context, d *desk) error {
	existing, err := d.hooks.List(ctx)
	if err != nil {
		return err
	}
	var failures []error
	changed, off := 0, false
	for _, h := range existing {
		if s.hookBook.Maker(d.store)(h) == hooks.Stranger || s.callbackURL(h.Path()) != h.Destination {
			continue
		}
		switch {
		case s.cfg.Hooks.OnExit == "delete":
			if err = d.hooks.Delete(ctx, h.ID); err == nil {
				err = s.hookBook.Gone(d.store, h.ID)
			}
		case h.Active:
			_, err = d.hooks.Update(ctx, h.ID, hooks.Change{Active: &off})
		default:
			continue
		}
		changed++
		failures = append(failures, err)
	}
	if err := errors.Join(failures...); err != nil || changed == 0 {
		return err
	}
	done := map[string]string{"delete": "deleted", "disable": "switched off"}[s.cfg.Hooks.OnExit]
	s.con.Notef("%s of store %s %s", counted(changed, "webhook"), d.store, done)
	return nil
}
