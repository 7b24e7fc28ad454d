package sandbox

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"bcdev/internal/bigcommerce"
)

func owner() bigcommerce.User {
	return bigcommerce.User{ID: 1000, Username: "owner@example.com", Email: "owner@example.com"}
}

// InstallRequest says what to install where. All of it is optional.
type InstallRequest struct {
	Store string `json:"store"` // default: the sandbox's store; a new hash opens a new store
	// Scope replaces what the portal has ticked, exactly.
	Scope []string `json:"scope"`
	// Callback is the auth callback to open instead of the registered one, which it replaces.
	Callback string `json:"callback"`
	// External adds the external_install parameter of an install that began at a link.
	External bool `json:"external"`
	// User is who installs; the owner by default.
	User *bigcommerce.User `json:"user"`
}

// InstallResult is what came of it: the code that was sent, and the app's answer.
type InstallResult struct {
	Store   string   `json:"store"`
	Code    string   `json:"code"`
	Context string   `json:"context"`
	Scope   []string `json:"scope"`
	// Installed reports whether the app has spent the code for a token by now.
	Installed bool   `json:"installed"`
	Callback  string `json:"callback"`
	Visit
}

// Install opens the app's auth callback as the merchant's browser would, after he has accepted
// the scopes. It returns when the app has answered. Redirects are reported, not followed.
func (s *Sandbox) Install(ctx context.Context, in InstallRequest) (InstallResult, error) {
	order, err := s.prepare(in)
	if err != nil {
		return InstallResult{}, badControl(err)
	}
	result := InstallResult{
		Store: order.store, Code: order.code, Context: "stores/" + order.store,
		Scope: order.scopes, Callback: order.callback,
	}
	result.Visit, err = s.visit(ctx, order.callback, order.query(), true)
	if c, ok := s.grants.peek(order.code); ok {
		result.Installed = c.spent
	}
	return result, err
}

// installOrder is an install the merchant has accepted: what the browser carries to the app.
type installOrder struct {
	store, code, callback string
	scopes                []string
	external              bool
}

func (o installOrder) query() url.Values {
	q := url.Values{
		"account_uuid": {accountUUID},
		"code":         {o.code},
		"context":      {"stores/" + o.store},
		"scope":        {strings.Join(o.scopes, " ")},
	}
	if o.external {
		q.Set("external_install", "1")
	}
	return q
}

func (s *Sandbox) prepare(in InstallRequest) (installOrder, error) {
	o := installOrder{store: in.Store, scopes: in.Scope, callback: in.Callback, external: in.External}
	if o.store == "" {
		o.store = s.options.Store
	}
	if len(o.scopes) == 0 {
		o.scopes = slices.Clone(s.options.Scopes)
	}
	if err := s.registerAuth(&o.callback); err != nil {
		return o, err
	}
	if s.openShop(o.store) == nil {
		return o, badStore(o.store)
	}
	user := owner()
	if in.User != nil {
		user = *in.User
	}
	o.code = s.grants.issue(code{
		store: o.store, scopes: o.scopes, redirect: o.callback, user: user,
		expires: s.clock.Now().Add(codeLife),
	})
	return o, nil
}

// registerAuth fills in the registered auth callback, or registers the given one.
func (s *Sandbox) registerAuth(callback *string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case *callback == "" && s.callbacks.Auth == "":
		return fmt.Errorf(`no auth callback is registered; send {"callback":"https://…/auth"}`)
	case *callback == "":
		*callback = s.callbacks.Auth
		return nil
	}
	if _, err := callbackURL(*callback, nil); err != nil {
		return err
	}
	s.callbacks.Auth = *callback // as if it had just been saved in the portal
	return nil
}

func badStore(hash string) error {
	if !bigcommerce.ValidStoreHash(hash) {
		return fmt.Errorf("%q is not a store hash: use 1 to 32 lowercase letters and digits", hash)
	}
	return fmt.Errorf("there are %d stores already; no room for %q", maxStores, hash)
}
