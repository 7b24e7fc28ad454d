package deliver_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/deliver"
)

func TestCallbacksAreMadeOutOfNothing(t *testing.T) {
	a := startApp(t, nil)
	j := openJournal(t)
	d := deliverer(t, j, a, nil)
	send := func(tr deliver.Trigger) received {
		t.Helper()
		tr.Store = "abc123xyz"
		e, err := deliver.Triggered(tr, app, today)
		if err != nil {
			t.Fatal(err)
		}
		res, err := d.Replay(t.Context(), e, deliver.Replay{})
		if err != nil {
			t.Fatal(err)
		}
		if res.Exchange.Via != "trigger" || res.Exchange.Kind != tr.Kind || res.Exchange.Of != 0 {
			t.Errorf("kept as %+v", res.Exchange)
		}
		return a.next(t)
	}
	install := send(deliver.Trigger{Kind: capture.Auth, Path: "/auth", Code: "c0de", Scopes: []string{"a", "b"}, AccountUUID: "u", External: true})
	in, err := bigcommerce.ParseInstall(strings.TrimPrefix(install.Target, "/auth?"))
	if err != nil || in.Code != "c0de" || in.Store != "abc123xyz" || len(in.Scopes) != 2 || in.AccountUUID != "u" || !in.External {
		t.Errorf("%s is %+v, %v", install.Target, in, err)
	}
	for _, kind := range []capture.Kind{capture.Load, capture.Uninstall, capture.RemoveUser} {
		got := send(deliver.Trigger{Kind: kind, Path: "/" + string(kind), URL: "/orders/1", ChannelID: &channel, Legacy: true,
			User: bigcommerce.User{ID: 7, Email: "user@example.com"}})
		p, err := app.VerifyPayload(between(got.Target, "signed_payload_jwt=", "&"), today)
		if err != nil || p.User.ID != 7 || p.Owner.ID != 7 || p.URL != "/orders/1" || *p.ChannelID != 2 || p.Store != "abc123xyz" {
			t.Errorf("%s carries %+v, %v", kind, p, err)
		}
	}
	got := send(deliver.Trigger{Kind: capture.Hook, Path: "/webhooks", Topic: "store/order/created", Set: map[string]string{"data.id": "119"}})
	w, err := bigcommerce.ParseWebhook([]byte(got.Body))
	if err != nil || string(w.Data) != `{"type":"order","id":119}` || w.Store != "abc123xyz" || got.Method != http.MethodPost {
		t.Errorf("%s, %v", got.Body, err)
	}
	if err := app.VerifyWebhook(got.Header, []byte(got.Body), today); err != nil {
		t.Error(err)
	}
}

func TestEveryDocumentedEventCanBeTriggered(t *testing.T) {
	for _, event := range bigcommerce.Events() {
		e, err := deliver.Triggered(deliver.Trigger{Kind: capture.Hook, Path: "/webhooks", Store: "abc123xyz", Topic: event.Scope}, app, today)
		if err != nil {
			t.Errorf("%s: %v", event.Scope, err)
			continue
		}
		if !json.Valid(e.Request.Body) || app.VerifyWebhook(e.Request.Header, e.Request.Body, today) != nil {
			t.Errorf("%s gives %s", event.Scope, e.Request.Body)
		}
	}
}

func TestTheDataOfAnEventCanBeGiven(t *testing.T) {
	e, err := deliver.Triggered(deliver.Trigger{Kind: capture.Hook, Path: "/webhooks", Store: "abc123xyz", Topic: "store/order/created",
		Data: json.RawMessage(`{"type":"order","id":5}`), StoreID: "77"}, app, today)
	if err != nil {
		t.Fatal(err)
	}
	w, err := bigcommerce.ParseWebhook(e.Request.Body)
	if err != nil || string(w.Data) != `{"type":"order","id":5}` || w.StoreID != "77" {
		t.Errorf("%s, %v", e.Request.Body, err)
	}
}

func TestWhatCannotBeTriggeredIsSaidWithTheNextStep(t *testing.T) {
	for name, c := range map[string]struct {
		trigger deliver.Trigger
		hint    string
	}{
		"no store":       {deliver.Trigger{Kind: capture.Load, Path: "/load"}, "--store"},
		"no path":        {deliver.Trigger{Kind: capture.Load, Store: "abc"}, "app.callbacks"},
		"no such kind":   {deliver.Trigger{Kind: capture.Call, Store: "abc", Path: "/x"}, "choose auth"},
		"nearly a topic": {deliver.Trigger{Kind: capture.Hook, Store: "abc", Path: "/x", Topic: "store/order/create"}, "store/order/created"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := deliver.Triggered(c.trigger, app, today)
			hinted(t, err, c.hint)
		})
	}
	_, err := deliver.Triggered(deliver.Trigger{Kind: capture.Load, Path: "/load", Store: "abc"}, bigcommerce.App{ClientID: clientID}, today)
	if err == nil {
		t.Error("signed without a secret")
	}
	var unknown *bigcommerce.UnknownEventError
	_, err = deliver.Triggered(deliver.Trigger{Kind: capture.Hook, Store: "abc", Path: "/x", Topic: "nothing"}, app, today)
	if !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
}
