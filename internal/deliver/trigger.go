package deliver

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// Trigger describes a callback or webhook to be made out of nothing.
type Trigger struct {
	Kind  capture.Kind
	Path  string // of the callback at the app
	Host  string // of the public URL, if there is one
	Store string // hash

	// Auth.
	Code        string   // one that the API door's /oauth2/token honours
	Scopes      []string // of the install
	AccountUUID string
	External    bool

	// Load, uninstall and remove_user.
	User, Owner bigcommerce.User // zero means an invented merchant
	URL         string           // the deep link; "" means /
	ChannelID   *int64
	Legacy      bool // signed_payload beside signed_payload_jwt, as BigCommerce still sends both

	// Webhook.
	Topic   string            // the concrete scope: store/order/created
	Data    json.RawMessage   // nil means the documented example
	StoreID string            // the store's number; "" means an invented one
	Set     map[string]string // "data.id" and other parts of the body
}

// TriggerError says why nothing can be made of a Trigger.
type TriggerError struct {
	Problem string
	Next    string
}

func (e *TriggerError) Error() string { return "triggering: " + e.Problem }

// Hint says what to do next.
func (e *TriggerError) Hint() string { return e.Next }

// Triggered makes the exchange that t describes, signed by app at now, as if BigCommerce had sent
// it. It has no ID and is brought to the app by Replay. An event that nobody documents is a
// *bigcommerce.UnknownEventError.
func Triggered(t Trigger, app bigcommerce.App, now time.Time) (capture.Exchange, error) {
	if !bigcommerce.ValidStoreHash(t.Store) {
		return capture.Exchange{}, &TriggerError{
			Problem: fmt.Sprintf("%q is no store hash", t.Store),
			Next:    "give one with --store: lowercase letters and digits, as in stores/abc123xyz",
		}
	}
	if !strings.HasPrefix(t.Path, "/") {
		return capture.Exchange{}, &TriggerError{
			Problem: "the callback has no path",
			Next:    "set app.callbacks or app.webhooks in bcdev.yaml",
		}
	}
	e := capture.Exchange{
		Door: capture.Public, Kind: t.Kind, Store: t.Store, At: now, Method: http.MethodGet,
		Host: t.Host, Proto: "HTTP/1.1", Via: "trigger",
	}
	switch t.Kind {
	case capture.Auth:
		return t.install(e), nil
	case capture.Load, capture.Uninstall, capture.RemoveUser:
		return t.lifecycle(e, app, now)
	case capture.Hook:
		return t.webhook(e, app, now)
	}
	return e, &TriggerError{
		Problem: fmt.Sprintf("there is no callback %q", t.Kind),
		Next:    "choose auth, load, uninstall, remove_user, or a webhook such as store/order/created",
	}
}

func (t Trigger) install(e capture.Exchange) capture.Exchange {
	query := "code=" + url.QueryEscape(t.Code) + "&context=" + url.QueryEscape("stores/"+t.Store) +
		"&scope=" + url.QueryEscape(strings.Join(t.Scopes, " "))
	if t.AccountUUID != "" {
		query = "account_uuid=" + url.QueryEscape(t.AccountUUID) + "&" + query
	}
	if t.External {
		query += "&external_install=1"
	}
	e.Target = t.Path + "?" + query
	e.Request.Header = browserHeader()
	return e
}

func (t Trigger) lifecycle(e capture.Exchange, app bigcommerce.App, now time.Time) (capture.Exchange, error) {
	p := bigcommerce.Payload{Store: t.Store, User: t.User, Owner: t.Owner, URL: t.URL, ChannelID: t.ChannelID}
	if p.User.ID == 0 {
		p.User = bigcommerce.User{ID: 1001, Email: "merchant@example.com", Locale: "en-US"}
	}
	if p.Owner.ID == 0 {
		p.Owner = bigcommerce.User{ID: p.User.ID, Email: p.User.Email}
	}
	if p.URL == "" {
		p.URL = "/"
	}
	token, err := app.SignPayload(p, now)
	if err != nil {
		return e, fmt.Errorf("triggering: %w", err)
	}
	e.Target = t.Path + "?signed_payload_jwt=" + url.QueryEscape(token)
	if t.Legacy {
		legacy, err := app.SignLegacy(p, now)
		if err != nil {
			return e, fmt.Errorf("triggering: %w", err)
		}
		e.Target = t.Path + "?signed_payload=" + url.QueryEscape(legacy) + "&signed_payload_jwt=" + url.QueryEscape(token)
	}
	e.Detail, _ = json.Marshal(p)
	e.Request.Header = http.Header{"Accept": {"*/*"}}
	if t.Kind == capture.Load {
		e.Request.Header = browserHeader()
	}
	return e, nil
}

func (t Trigger) webhook(e capture.Exchange, app bigcommerce.App, now time.Time) (capture.Exchange, error) {
	set := maps.Clone(t.Set)
	if set == nil {
		set = map[string]string{}
	}
	if len(t.Data) > 0 {
		set["data"] = string(t.Data)
	}
	if t.StoreID != "" {
		set["store_id"] = t.StoreID
	}
	body, err := bigcommerce.SampleWebhook(t.Topic, t.Store, now, set)
	if err != nil {
		return e, fmt.Errorf("triggering: %w", err)
	}
	sample, err := bigcommerce.ParseWebhook(body)
	if err != nil {
		return e, fmt.Errorf("triggering: %w", err)
	}
	e.Method, e.Topic, e.Target = http.MethodPost, sample.Scope, t.Path
	e.Request.Header = app.SignWebhook(newMessageID(), now, body)
	e.Request.Header.Set("Content-Type", "application/json")
	e.Request.Header.Set("Accept", "*/*")
	e.Request.Body, e.Request.Size = body, int64(len(body))
	return e, nil
}

func browserHeader() http.Header {
	return http.Header{
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"en-US,en;q=0.9"},
		"Sec-Fetch-Dest":  {"iframe"},
		"Sec-Fetch-Mode":  {"navigate"},
		"Sec-Fetch-Site":  {"cross-site"},
	}
}
