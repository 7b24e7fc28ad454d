package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func hookOn(t *testing.T, w *world, scope, path string) int64 {
	t.Helper()
	a := w.api("POST", "/v3/hooks", fmt.Sprintf(`{"scope":%q,"destination":"%s%s"}`, scope, w.app.URL, path))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("hook on %s: %d %s", scope, a.StatusCode, a.body)
	}
	return int64(a.at(t, "data.id").(float64))
}

func TestAnEventWithoutHooksGoesToTheRegisteredURL(t *testing.T) {
	w := newWorld(t, nil)
	a := w.works("/webhook", `{"scope":"store/order/created","data":{"type":"order","id":12345678901234567890}}`)
	came := w.app.next(t)
	if came.URL.Path != "/webhooks" || !strings.Contains(string(came.body), `"id":12345678901234567890`) {
		t.Errorf("%s %s", came.URL.Path, came.body)
	}
	var body eventBody
	if err := json.Unmarshal(came.body, &body); err != nil || len(body.Hash) != 40 || body.Producer != "stores/"+w.sandbox.Store() || body.StoreID == "" {
		t.Errorf("body: %+v, %v", body, err)
	}
	if a.at(t, "deliveries.0.status") != float64(200) {
		t.Errorf("answer: %s", a.body)
	}
}

func TestEveryDocumentedEventCanBeFired(t *testing.T) {
	w := newWorld(t, nil)
	for _, scope := range []string{"store/cart/lineItem/created", "store/channel/2/cart/abandoned", "store/information/updated"} {
		w.works("/webhook", `{"scope":"`+scope+`"}`)
		came := w.app.next(t)
		var body eventBody
		if err := json.Unmarshal(came.body, &body); err != nil || body.Scope != scope || len(body.Data) < 2 {
			t.Errorf("%s: %s", scope, came.body)
		}
	}
}

func TestHooksTakeTheirScopesAndFamilies(t *testing.T) {
	w := newWorld(t, nil)
	hookOn(t, w, "store/order/*", "/all")
	hookOn(t, w, "store/order/statusUpdated", "/status")
	w.api("PUT", "/v2/orders/118", `{"status_id":2}`)
	got := map[string]int{}
	for range 3 {
		got[w.app.next(t).URL.Path]++
	}
	if got["/all"] != 2 || got["/status"] != 1 {
		t.Errorf("deliveries: %v", got)
	}
}

func TestRetriesFollowTheScheduleAndThenTheHookIsDisabled(t *testing.T) {
	w := newWorld(t, nil)
	w.app.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) })
	id := hookOn(t, w, "store/order/created", "/hook")
	w.works("/webhook", `{"scope":"store/order/created"}`)
	first := w.app.next(t)
	at := []time.Time{w.sandbox.clock.Now()}
	w.works("/clock", `{"advance":"59s"}`)
	w.app.quiet(t)
	for i, delay := range retryDelays() {
		if i == 0 {
			delay -= 59 * time.Second
		}
		w.works("/clock", fmt.Sprintf(`{"advance":"%ds"}`, int(delay.Seconds())))
		again := w.app.next(t)
		w.app.quiet(t)
		if again.Header.Get("Webhook-Id") != first.Header.Get("Webhook-Id") || string(again.body) != string(first.body) {
			t.Errorf("retry %d is another message: %v", i+1, again.Header)
		}
		if err := testApp().VerifyWebhook(again.Header, again.body, w.sandbox.clock.Now()); err != nil {
			t.Errorf("retry %d: %v", i+1, err)
		}
		at = append(at, w.sandbox.clock.Now())
	}
	if total := at[len(at)-1].Sub(at[0]); total != 173040*time.Second {
		t.Errorf("the schedule took %s", total)
	}
	if h, _ := w.sandbox.hooks.get(id); h.IsActive || h.status() != "deactivated" {
		t.Errorf("the hook is %+v", h)
	}
	if n := w.sandbox.courier.waiting(); n != 0 {
		t.Errorf("%d deliveries still wait", n)
	}
	if a := w.api("PUT", fmt.Sprintf("/v3/hooks/%d", id), `{"is_active":true}`); a.at(t, "data.is_active") != true {
		t.Errorf("reactivated: %s", a.body)
	}
}

func TestOneMoveOfTheClockPlaysAllRetriesInOrder(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.TimeScale = 60 })
	w.app.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	hookOn(t, w, "store/order/created", "/hook")
	w.works("/webhook", `{"scope":"store/order/created"}`)
	w.works("/clock", `{"advance":"1h"}`)
	var stamps []string
	for len(w.app.arrivals) > 0 {
		stamps = append(stamps, w.app.next(t).Header.Get("Webhook-Timestamp"))
	}
	if len(stamps) != 12 || stamps[1] <= stamps[0] || stamps[11] <= stamps[10] {
		t.Errorf("%d attempts at %v, want 12 in order", len(stamps), stamps)
	}
}

func TestARepointedHookGetsItsRetriesAndADeletedOneNone(t *testing.T) {
	w := newWorld(t, nil)
	w.app.answers(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			rw.WriteHeader(http.StatusNotFound)
		}
	})
	id := hookOn(t, w, "store/order/created", "/old")
	gone := hookOn(t, w, "store/order/updated", "/old")
	w.works("/webhook", `{"scope":"store/order/created"}`)
	w.works("/webhook", `{"scope":"store/order/updated"}`)
	w.app.next(t)
	w.app.next(t)
	w.api("PUT", fmt.Sprintf("/v3/hooks/%d", id), `{"destination":"`+w.app.URL+`/new"}`)
	w.api("DELETE", fmt.Sprintf("/v3/hooks/%d", gone), "")
	w.works("/clock", `{"advance":"72h"}`)
	if came := w.app.next(t); came.URL.Path != "/new" {
		t.Errorf("the retry went to %s", came.URL.Path)
	}
	w.app.quiet(t)
}

func TestADomainThatFailsIsBlockedForThreeMinutes(t *testing.T) {
	w := newWorld(t, nil)
	w.app.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) })
	id := hookOn(t, w, "store/order/created", "/hook")
	for range blockMinimum {
		w.works("/webhook", `{"scope":"store/order/created"}`)
		w.app.next(t)
	}
	if a := w.works("/webhook", `{"scope":"store/order/created"}`); a.at(t, "deliveries.0.status") != float64(0) {
		t.Errorf("a blocked domain was called: %s", a.body)
	}
	w.app.quiet(t)
	admin := w.api("GET", "/v3/hooks/admin", "")
	if admin.at(t, "data.blocked_domains.0.reasons.0.count") != float64(blockMinimum) || admin.at(t, "data.hooks_list.0.status") != "active" {
		t.Errorf("admin: %s", admin.body)
	}
	w.app.answers(nil)
	w.works("/clock", `{"advance":"181s"}`)
	if n := len(w.app.arrivals); n != blockMinimum+1 {
		t.Errorf("%d retries after the block, want %d", n, blockMinimum+1)
	}
	if h, _ := w.sandbox.hooks.get(id); !h.IsActive {
		t.Error("the hook was disabled by the block")
	}
}

func TestAnExceptionHookHearsOfFailures(t *testing.T) {
	w := newWorld(t, nil)
	w.app.answers(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	id := hookOn(t, w, "store/order/created", "/bad")
	hookOn(t, w, exceptionScope, "/exceptions")
	w.works("/webhook", `{"scope":"store/order/created"}`)
	w.works("/clock", `{"advance":"100h"}`)
	codes := map[float64]int{}
	for len(w.app.arrivals) > 0 {
		a := w.app.next(t)
		if a.URL.Path != "/exceptions" {
			continue
		}
		var body struct {
			Data struct {
				ID   int64
				Code float64 `json:"error_code"`
			}
		}
		if err := json.Unmarshal(a.body, &body); err != nil || body.Data.ID != id {
			t.Errorf("exception: %s", a.body)
		}
		codes[body.Data.Code]++
	}
	// Retries fall within ten minutes of each other at first, and further apart later.
	if codes[90001] != 8 || codes[90002] != 1 {
		t.Errorf("exceptions: %v", codes)
	}
}

func TestAHookThatNothingUsesIsRetiredAfterNinetyDays(t *testing.T) {
	w := newWorld(t, nil)
	hookOn(t, w, "store/order/created", "/hook")
	w.works("/clock", `{"advance":"2161h"}`)
	if a := w.api("GET", "/v3/hooks?is_active=false", ""); a.at(t, "meta.pagination.total") != float64(1) {
		t.Errorf("hooks: %s", a.body)
	}
}

func TestTheHooksFamilyHasItsLimits(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.StrictHookPort = false })
	create := func(scope, destination string) answer {
		return w.api("POST", "/v3/hooks", fmt.Sprintf(`{"scope":%q,"destination":%q}`, scope, destination))
	}
	for name, c := range map[string]struct {
		answer answer
		status int
		want   string
	}{
		"nothing":                 {w.api("POST", "/v3/hooks", `{}`), 422, `"destination":"error.path.missing."`},
		"an unknown scope":        {create("store/order/creatd", "https://a.example/x"), 400, wordsBadInput},
		"a family that is none":   {create("store/ordr/*", "https://a.example/x"), 400, wordsBadInput},
		"everything":              {create("store/*", "https://a.example/x"), 400, wordsBadInput},
		"http":                    {create("store/order/created", "http://a.example/x"), 400, "https"},
		"another port":            {create("store/order/created", "https://a.example:8443/x"), 400, "443"},
		"another port, localhost": {create("store/order/created", "https://app.localhost:7443/x"), 200, `"is_active":true`},
		"a password":              {create("store/order/created", "https://a:b@a.example/x"), 400, "URL"},
		"a header with a break":   {w.api("POST", "/v3/hooks", `{"scope":"store/order/created","destination":"https://a.example","headers":{"X":"a\r\nb"}}`), 400, "headers"},
		"headers that are a list": {w.api("POST", "/v3/hooks", `{"scope":"store/order/created","destination":"https://a.example","headers":[]}`), 422, "headers"},
		"a hook that is none":     {w.api("GET", "/v3/hooks/5", ""), 404, "Webhook with id [5] not found"},
	} {
		if c.answer.StatusCode != c.status || !strings.Contains(c.answer.body, c.want) {
			t.Errorf("%s: %d %s, want %d with %q", name, c.answer.StatusCode, c.answer.body, c.status, c.want)
		}
	}
	for i := range hooksPerScope {
		if a := create("store/cart/created", fmt.Sprintf("https://a.example/%d", i)); a.StatusCode != http.StatusOK {
			t.Fatalf("hook %d: %s", i+1, a.body)
		}
	}
	if a := create("store/cart/created", "https://a.example/11"); a.StatusCode != http.StatusForbidden {
		t.Errorf("the eleventh: %d", a.StatusCode)
	}
	if a := create("store/cart/created", "https://a.example/1"); a.StatusCode != http.StatusConflict {
		t.Errorf("a duplicate: %d", a.StatusCode)
	}
	if a := w.api("PUT", "/v3/hooks/admin", `{"emails":["dev@example.com"]}`); a.StatusCode != http.StatusNoContent {
		t.Errorf("admin: %d", a.StatusCode)
	}
	if a := w.api("GET", "/v3/hooks/admin", ""); a.at(t, "data.emails.0") != "dev@example.com" {
		t.Errorf("admin: %s", a.body)
	}
}

func TestTheHooksOfOneClientAreInvisibleToAnother(t *testing.T) {
	w := newWorld(t, nil)
	id := hookOn(t, w, "store/order/created", "/hook") // made with a store-level token
	code := w.works("/install", "").at(t, "code").(string)
	w.token = w.exchange(map[string]string{"code": code}).at(t, "access_token").(string)
	if a := w.api("GET", "/v3/hooks", ""); a.at(t, "meta.pagination.total") != float64(0) {
		t.Errorf("listed: %s", a.body)
	}
	if a := w.api("DELETE", fmt.Sprintf("/v3/hooks/%d", id), ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("deleted: %d", a.StatusCode)
	}
}

func TestRetriesComeByThemselvesInRealTime(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Now, o.TimeScale = nil, 1000 })
	var calls atomic.Int32
	w.app.answers(func(rw http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	hookOn(t, w, "store/order/created", "/hook")
	w.works("/webhook", `{"scope":"store/order/created"}`)
	first, second := w.app.next(t), w.app.next(t)
	if first.Header.Get("Webhook-Id") != second.Header.Get("Webhook-Id") {
		t.Error("the retry is another message")
	}
}

func TestCloseEndsDeliveriesUnderWay(t *testing.T) {
	w := newWorld(t, nil)
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	w.app.answers(func(http.ResponseWriter, *http.Request) { <-hold })
	hookOn(t, w, "store/order/created", "/hook")
	w.sandbox.announce(event{store: w.sandbox.Store(), scope: "store/order/created", data: thing{"order", 1}})
	w.app.next(t)
	if err := w.sandbox.Close(); err != nil {
		t.Error(err)
	}
	if err := w.sandbox.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}
