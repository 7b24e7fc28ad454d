package deliver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/deliver"
)

var channel = int64(2)

var merchant = bigcommerce.Payload{
	Store:     "abc123xyz",
	User:      bigcommerce.User{ID: 1001, Email: "merchant@example.com", Locale: "en-US"},
	Owner:     bigcommerce.User{ID: 1000, Email: "owner@example.com"},
	URL:       "/",
	ChannelID: &channel,
}

// loadOfYesterday is a load callback whose payload has expired.
func loadOfYesterday(t *testing.T, j *capture.Journal) capture.Exchange {
	t.Helper()
	token, err := app.SignPayload(merchant, today.Add(-25*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := app.SignLegacy(merchant, today.Add(-25*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	id := arrive(t, j, "", capture.Load,
		browse("/load?signed_payload="+url.QueryEscape(legacy)+"&keep=%zz&signed_payload_jwt="+token+"&last=1"))
	e, err := j.Get(t.Context(), fmt.Sprint(id))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestALoadIsSignedAnewWithFreshTimes(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	e := loadOfYesterday(t, j)
	res, err := deliverer(t, j, a, nil).Replay(t.Context(), e, deliver.Replay{})
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, a.next(t).Target)
	if !strings.HasPrefix(got.RawQuery, "signed_payload=") || !strings.Contains(got.RawQuery, "&keep=%zz&signed_payload_jwt=") || !strings.HasSuffix(got.RawQuery, "&last=1") {
		t.Errorf("the query is not what it was: %s", got.RawQuery)
	}
	token := between(got.RawQuery, "signed_payload_jwt=", "&")
	p, err := app.VerifyPayload(token, today)
	if err != nil {
		t.Fatalf("the app's library would refuse it: %v", err)
	}
	if p.User.Email != "merchant@example.com" || p.ChannelID == nil || *p.ChannelID != 2 || !p.IssuedAt.Equal(today.Truncate(time.Second)) {
		t.Errorf("claims are %s", p.Claims)
	}
	legacy, err := url.QueryUnescape(between(got.RawQuery, "signed_payload=", "&"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.VerifyLegacy(legacy); err != nil {
		t.Errorf("the legacy payload does not hold: %v", err)
	}
	if diff := cmp.Diff([]string{"signed_payload_jwt", "signed_payload"}, res.Resigned); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(string(res.Sent), token) || !strings.Contains(string(res.Sent), "GET /load?") {
		t.Errorf("what was sent is shown as\n%s", res.Sent)
	}
	x := res.Exchange
	if x.ID == 0 || x.Of != e.ID || x.Via != "replay" || x.Door != capture.Local || x.Kind != capture.Load || strings.Contains(x.Target, token) {
		t.Errorf("kept as %+v", x)
	}
}

// between cuts out what stands between from and to, or the end.
func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestAsItCame(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	e := loadOfYesterday(t, j)
	d := deliverer(t, j, a, nil)
	if _, err := d.Replay(t.Context(), e, deliver.Replay{AsIs: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := a.next(t).Target, reveal(t, j, fmt.Sprint(e.ID)).Target; got != want {
		t.Errorf("sent %s", got)
	}
	_, err := d.Replay(t.Context(), e, deliver.Replay{AsIs: true, Set: map[string]string{"claims.url": "/x"}})
	hinted(t, err, "--as-is")
}

func TestAPayloadThatWasNotKeptIsMadeFromItsClaims(t *testing.T) {
	j, err := capture.Open("", capture.Options{}) // nothing is sealed
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	a := startApp(t, nil)
	e := loadOfYesterday(t, j)
	d := deliverer(t, j, a, nil)
	_, err = d.Replay(t.Context(), e, deliver.Replay{})
	hinted(t, err, "bcdev trigger load")
	_, err = d.Replay(t.Context(), e, deliver.Replay{AsIs: true})
	hinted(t, err, "--as-is")
	err = j.Amend(t.Context(), e.ID, func(e *capture.Exchange) { e.Detail, _ = json.Marshal(merchant) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Replay(t.Context(), e, deliver.Replay{}); err != nil {
		t.Fatal(err)
	}
	if p, err := app.VerifyPayload(between(a.next(t).Target, "signed_payload_jwt=", "&"), today); err != nil || p.User.ID != 1001 {
		t.Errorf("%+v, %v", p, err)
	}
}

func hinted(t *testing.T, err error, want string) {
	t.Helper()
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), want) {
		t.Errorf("error %v does not say %q", err, want)
	}
}

func TestAnInstallIsReplayedWithItsOwnCode(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	id := arrive(t, j, "", capture.Auth, browse("/auth?code=k3b9x0q2m5w7&context=stores%2Fabc123xyz&scope=store_v2_orders"))
	e, err := j.Get(t.Context(), fmt.Sprint(id))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(e.Target, "k3b9x0q2m5w7") {
		t.Fatal("the code is not sealed")
	}
	if _, err := deliverer(t, j, a, nil).Replay(t.Context(), e, deliver.Replay{}); err != nil {
		t.Fatal(err)
	}
	if got := a.next(t).Target; got != "/auth?code=k3b9x0q2m5w7&context=stores%2Fabc123xyz&scope=store_v2_orders" {
		t.Errorf("the app received %s", got)
	}
}

func TestACodeThatWasNotKeptIsMadeAnew(t *testing.T) {
	a := startApp(t, nil)
	d := deliverer(t, nil, a, func(o *deliver.Options) {
		o.Code = func(store string, scopes []string) string { return "minted-" + store + "-" + strings.Join(scopes, "+") }
	})
	e := capture.Exchange{Door: capture.Public, Kind: capture.Auth, Store: "abc123xyz", Method: http.MethodGet,
		Target: "/auth?code=%7B%7Bcode%7D%7D&context=stores%2Fabc123xyz&scope=a+b"}
	if _, err := d.Replay(t.Context(), e, deliver.Replay{}); err != nil {
		t.Fatal(err)
	}
	if got := a.next(t).Target; got != "/auth?code=minted-abc123xyz-a%2Bb&context=stores%2Fabc123xyz&scope=a+b" {
		t.Errorf("the app received %s", got)
	}
	_, err := d.Replay(t.Context(), e, deliver.Replay{AsIs: true})
	hinted(t, err, "--as-is")
}

func TestAWebhookIsSignedAnew(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	later := today.Add(time.Hour)
	d := deliverer(t, j, a, func(o *deliver.Options) { o.Now = func() time.Time { return later } })
	id := arrive(t, j, "", capture.Hook, hook(`{"scope":"store/order/created","data":{"id":118},"n":12345678901234567890}`))
	res, err := d.Replay(t.Context(), reveal(t, j, fmt.Sprint(id)), deliver.Replay{Set: map[string]string{"body.data.id": "119"}})
	if err != nil {
		t.Fatal(err)
	}
	got := a.next(t)
	if got.Body != `{"scope":"store/order/created","data":{"id":119},"n":12345678901234567890}` {
		t.Errorf("body is %s", got.Body)
	}
	if err := app.VerifyWebhook(got.Header, []byte(got.Body), later); err != nil {
		t.Error(err)
	}
	if got.Header.Get("Webhook-Id") != "msg_1" {
		t.Errorf("the message is %q", got.Header.Get("Webhook-Id"))
	}
	if diff := cmp.Diff([]string{"webhook-signature"}, res.Resigned); diff != "" {
		t.Error(diff)
	}
	if _, err := d.Replay(t.Context(), reveal(t, j, fmt.Sprint(id)), deliver.Replay{AsIs: true}); err != nil {
		t.Fatal(err)
	}
	got = a.next(t)
	if err := app.VerifyWebhook(got.Header, []byte(got.Body), today); err != nil {
		t.Errorf("as it came: %v", err)
	}
}

func TestEverythingThatCanBeSet(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	e := loadOfYesterday(t, j)
	res, err := deliverer(t, j, a, nil).Replay(t.Context(), e, deliver.Replay{
		Set: map[string]string{
			"method": "POST", "path": "/other%2Fpath", "query.last": "a b", "query.new": "x&y",
			"claims.url": "/orders/7", "claims.user.id": "42", "header.x-one": "1",
			"body.a.b": "1", "body.c": "text",
		},
		Header: http.Header{"X-Many": {"one", "two"}, "Host": {"other.example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := a.next(t)
	if got.Method != http.MethodPost || !strings.HasPrefix(got.Target, "/other%2Fpath?") || !strings.HasSuffix(got.Target, "&last=a+b&new=x%26y") {
		t.Errorf("the app received %s %s", got.Method, got.Target)
	}
	if got.Body != `{"a":{"b":1},"c":"text"}` || got.Header.Get("X-One") != "1" || len(got.Header["X-Many"]) != 2 || got.Host != "other.example.com" {
		t.Errorf("the app received %q with %v for %s", got.Body, got.Header, got.Host)
	}
	p, err := app.VerifyPayload(between(got.Target, "signed_payload_jwt=", "&"), today)
	if err != nil || p.URL != "/orders/7" || p.User.ID != 42 || p.User.Email != "merchant@example.com" {
		t.Errorf("%s, %v", p.Claims, err)
	}
	if len(res.Differences) < 10 {
		t.Errorf("differences: %q", res.Differences)
	}
}

func TestWhatCannotBeSetIsRefused(t *testing.T) {
	d := deliverer(t, nil, startApp(t, nil), nil)
	e := capture.Exchange{Door: capture.Public, Kind: capture.Hook, Method: http.MethodPost, Target: "/webhooks",
		Request: capture.Message{Body: []byte(`{"a":[1]}`)}}
	for key, value := range map[string]string{
		"nothing": "x", "query": "x", "query.": "x", "method": "A B", "path": "x", "header.a b": "1", "header.x": "a\nb",
		"body.a.7": "1", "body.a.0.x": "1", "claims.url": "/x",
	} {
		if _, err := d.Replay(t.Context(), e, deliver.Replay{Set: map[string]string{key: value}, DryRun: true}); err == nil {
			t.Errorf("%s=%q is taken", key, value)
		} else {
			hinted(t, err, "what can be set")
		}
	}
}

func TestADeliveryIsReplayedFromItsOriginal(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	d := deliverer(t, j, a, nil)
	e := loadOfYesterday(t, j)
	first, err := d.Replay(t.Context(), e, deliver.Replay{Set: map[string]string{"path": "/changed"}})
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.Replay(t.Context(), first.Exchange, deliver.Replay{})
	if err != nil {
		t.Fatal(err)
	}
	a.next(t)
	if got := a.next(t).Target; !strings.HasPrefix(got, "/load?") || second.Exchange.Of != e.ID {
		t.Errorf("replayed %s of %d", got, second.Exchange.Of)
	}
}

func TestADryRunSendsNothing(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	res, err := deliverer(t, j, a, nil).Replay(t.Context(), loadOfYesterday(t, j), deliver.Replay{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	a.none(t)
	if len(res.Sent) == 0 || len(res.Differences) == 0 || len(deliveries(t, j)) != 0 {
		t.Errorf("%+v", res)
	}
}

func TestRedirectsAreShownAndNotFollowed(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	res, err := deliverer(t, j, a, nil).Replay(t.Context(), loadOfYesterday(t, j), deliver.Replay{})
	if err != nil {
		t.Fatal(err)
	}
	a.next(t)
	a.none(t)
	if res.Exchange.Status != http.StatusFound || res.Exchange.Response.Header.Get("Location") != "/elsewhere" {
		t.Errorf("%d to %q", res.Exchange.Status, res.Exchange.Response.Header.Get("Location"))
	}
}

func TestAnAppThatIsDownIsAFailedResult(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	d := deliverer(t, j, a, nil)
	a.Close()
	res, err := d.Replay(t.Context(), loadOfYesterday(t, j), deliver.Replay{})
	if err != nil || !strings.Contains(res.Failed, "not running") || res.Verdict != deliver.Failing || res.Exchange.ID == 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestAReplayNeverGoesElsewhere(t *testing.T) {
	j := openJournal(t)
	e := loadOfYesterday(t, j)
	for _, remote := range []bool{false, true} {
		d := deliverer(t, j, startApp(t, nil), func(o *deliver.Options) { o.AllowRemote = remote })
		for _, to := range []string{"https://login.bigcommerce.com/oauth2/token", "https://api.bigcommerce.com"} {
			_, err := d.Replay(t.Context(), e, deliver.Replay{To: parse(t, to)})
			hinted(t, err, "local app")
		}
		_, err := d.Replay(t.Context(), e, deliver.Replay{To: parse(t, "http://192.0.2.7"), DryRun: true})
		if (err == nil) != remote {
			t.Errorf("remote %t: %v", remote, err)
		}
	}
	local := deliverer(t, j, startApp(t, nil), func(o *deliver.Options) { o.DialContext = nil })
	_, err := local.Replay(t.Context(), e, deliver.Replay{To: parse(t, "http://elsewhere.invalid")})
	hinted(t, err, "--allow-remote")
	d := deliverer(t, j, startApp(t, nil), nil)
	for _, other := range []capture.Exchange{{Door: capture.API, Kind: capture.Call}, {Door: capture.Local, Kind: capture.Token}} {
		_, err := d.Replay(t.Context(), other, deliver.Replay{})
		hinted(t, err, "callback or a webhook")
	}
	none := deliver.New(deliver.Options{App: app})
	_, err = none.Replay(t.Context(), e, deliver.Replay{})
	hinted(t, err, "app.forward_to")
	noSecret := deliverer(t, j, startApp(t, nil), func(o *deliver.Options) { o.App = bigcommerce.App{} })
	_, err = noSecret.Replay(t.Context(), e, deliver.Replay{})
	hinted(t, err, "client_secret")
}

func TestAPlaceWithAPathTakesTheExchangesOwn(t *testing.T) {
	a := startApp(t, nil)
	d := deliverer(t, nil, a, nil)
	e := capture.Exchange{Door: capture.Public, Kind: capture.Hook, Method: http.MethodPost, Target: "/webhooks?x=1"}
	if _, err := d.Replay(t.Context(), e, deliver.Replay{To: parse(t, a.URL+"/orders")}); err != nil {
		t.Fatal(err)
	}
	if got := a.next(t).Target; got != "/orders?x=1" {
		t.Errorf("the app received %s", got)
	}
}

func TestMaskedFieldsAreLeftOutAndSaid(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	r := browse("/load")
	r.Header.Set("Authorization", "Bearer abcdefghijklmnop")
	r.Header.Set("Cookie", "a=secret")
	id := arrive(t, j, "", capture.Other, r)
	res, err := deliverer(t, j, a, nil).Replay(t.Context(), reveal(t, j, fmt.Sprint(id)), deliver.Replay{})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.next(t).Header; got.Get("Authorization") != "" || got.Get("Cookie") != "" {
		t.Errorf("the app received %v", got)
	}
	if all := strings.Join(res.Differences, "\n"); !strings.Contains(all, "Authorization") || !strings.Contains(all, "Cookie") {
		t.Errorf("differences: %s", all)
	}
}
