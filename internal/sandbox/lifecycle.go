package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"bcdev/internal/bigcommerce"
)

// lifecycle is what BigCommerce tells an app after the install, and to whom.
type lifecycle struct {
	Store     string            `json:"store"`
	User      *bigcommerce.User `json:"user"`
	Owner     *bigcommerce.User `json:"owner"`
	URL       string            `json:"url"` // the deep link; "/" by default
	ChannelID *int64            `json:"channel_id"`
	Callback  string            `json:"callback"` // instead of the registered URL
	// Only is "jwt" or "legacy" for one of the two payloads; both are sent otherwise, as
	// BigCommerce seems to do still.
	Only string `json:"only"`
}

// lifecycleResult is what was sent and what the app answered.
type lifecycleResult struct {
	Store string `json:"store"`
	Visit
}

func (s *Sandbox) readLifecycle(body []byte) (lifecycle, error) {
	in := lifecycle{Store: s.options.Store, URL: "/"}
	if err := decode(body, &in); err != nil {
		return in, err
	}
	switch {
	case s.openShop(in.Store) == nil:
		return in, badControl(badStore(in.Store))
	case in.Only != "" && in.Only != "jwt" && in.Only != "legacy":
		return in, badControl(errors.New(`"only" must be "jwt" or "legacy"`))
	}
	in.User, in.Owner = orOwner(in.User), orOwner(in.Owner)
	return in, nil
}

func orOwner(u *bigcommerce.User) *bigcommerce.User {
	if u == nil {
		me := owner()
		return &me
	}
	return u
}

// signedQuery signs the payloads.
func (s *Sandbox) signedQuery(in lifecycle) (url.Values, error) {
	now, q := s.clock.Now(), url.Values{}
	p := bigcommerce.Payload{
		Store: in.Store, User: slim(*in.User), Owner: slim(*in.Owner), URL: in.URL, ChannelID: in.ChannelID,
	}
	p.User.Locale = in.User.Locale
	if p.User.Locale == "" {
		p.User.Locale = "en-US"
	}
	if in.Only != "legacy" {
		token, err := s.app.SignPayload(p, now)
		if err != nil {
			return nil, fmt.Errorf("signing the payload: %w", err)
		}
		q.Set("signed_payload_jwt", token)
	}
	if in.Only != "jwt" {
		legacy, err := s.app.SignLegacy(p, now)
		if err != nil {
			return nil, fmt.Errorf("signing the legacy payload: %w", err)
		}
		q.Set("signed_payload", legacy)
	}
	return q, nil
}

// slim is a user as signed payloads name one: without a user name.
func slim(u bigcommerce.User) bigcommerce.User { return bigcommerce.User{ID: u.ID, Email: u.Email} }

func (s *Sandbox) tellApp(ctx context.Context, in lifecycle, registered string, browser bool) (any, error) {
	callback := in.Callback
	if callback == "" {
		callback = registered
	}
	if callback == "" {
		return nil, badControl(errors.New(`no such callback is registered; send {"callback":"https://…"} or POST /_control/callbacks`))
	}
	if _, err := callbackURL(callback, nil); err != nil {
		return nil, badControl(err)
	}
	query, err := s.signedQuery(in)
	if err != nil {
		return nil, err
	}
	visit, err := s.visit(ctx, callback, query, browser)
	if err != nil {
		return nil, err
	}
	return lifecycleResult{in.Store, visit}, nil
}

// registered is the callbacks, those that nobody registered standing beside the auth callback
// under their usual names.
func (s *Sandbox) registered() Callbacks {
	c := s.Callbacks()
	base, err := url.Parse(c.Auth)
	if err != nil || base.Host == "" {
		return c
	}
	for at, path := range map[*string]string{
		&c.Load: "/load", &c.Uninstall: "/uninstall", &c.RemoveUser: "/remove_user", &c.Webhooks: "/webhooks",
	} {
		if *at == "" {
			*at = base.Scheme + "://" + base.Host + path
		}
	}
	return c
}

func doLoad(s *Sandbox, r *http.Request, body []byte) (any, error) {
	in, err := s.readLifecycle(body)
	if err != nil {
		return nil, err
	}
	return s.tellApp(r.Context(), in, s.registered().Load, true)
}

// doUninstall ends the token and the hooks first: they are gone whatever the app answers.
func doUninstall(s *Sandbox, r *http.Request, body []byte) (any, error) {
	in, err := s.readLifecycle(body)
	if err != nil {
		return nil, err
	}
	s.grants.uninstall(in.Store)
	s.hooks.removeStore(in.Store, s.app.ClientID)
	return s.tellApp(r.Context(), in, s.registered().Uninstall, false)
}

func doRemoveUser(s *Sandbox, r *http.Request, body []byte) (any, error) {
	in, err := s.readLifecycle(body)
	if err != nil {
		return nil, err
	}
	if in.User.ID == owner().ID {
		in.User = &bigcommerce.User{ID: 1002, Email: "clerk@example.com"}
	}
	return s.tellApp(r.Context(), in, s.registered().RemoveUser, false)
}

// doWebhook fires an event and waits for the first attempt of every delivery.
func doWebhook(s *Sandbox, r *http.Request, body []byte) (any, error) {
	in := struct {
		Store       string          `json:"store"`
		Scope       string          `json:"scope"`
		Data        json.RawMessage `json:"data"`
		Destination string          `json:"destination"`
	}{Store: s.options.Store}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if s.openShop(in.Store) == nil {
		return nil, badControl(badStore(in.Store))
	}
	known, near, ok := bigcommerce.FindEvent(in.Scope)
	if !ok {
		return nil, badControl(notAnEvent(in.Scope, near))
	}
	if len(in.Data) == 0 {
		in.Data = known.Example
	}
	if _, err := callbackURL(in.Destination, nil); in.Destination != "" && err != nil {
		return nil, badControl(err)
	}
	e := event{store: in.Store, scope: in.Scope, data: in.Data}
	return s.fireAndWait(r.Context(), e, in.Destination)
}

// notAnEvent names what may have been meant.
func notAnEvent(scope string, near []string) error {
	if len(near) == 0 {
		return fmt.Errorf("%q is not a webhook scope; one is store/order/created", scope)
	}
	return fmt.Errorf("%q is not a webhook scope; did you mean %s?", scope, strings.Join(near, " or "))
}
