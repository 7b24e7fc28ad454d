package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shop is an upstream that mints storefront tokens and answers a storefront's GraphQL.
type shop struct {
	mu      sync.Mutex
	minted  []string        // bodies of the minting calls
	revoked map[string]bool // tokens the storefront refuses
	refuse  int             // status of a minting call that is refused
	got     []received      // storefront calls
	*upstream
}

func newShop(t *testing.T) *shop {
	s := &shop{revoked: map[string]bool{}}
	s.upstream = newUpstream(t, true, nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/v3/storefront/api-token-private") {
			if s.refuse != 0 {
				w.WriteHeader(s.refuse)
				io.WriteString(w, `{"status":403,"title":"You don't have a required scope to access the endpoint"}`)
				return
			}
			s.minted = append(s.minted, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Auth-Token")+" "+string(body))
			fmt.Fprintf(w, `{"data":{"token":"jwt-%d"},"meta":{}}`, len(s.minted))
			return
		}
		s.got = append(s.got, received{Method: r.Method, URI: r.RequestURI, Header: r.Header.Clone(), Body: string(body)})
		if s.revoked[r.Header.Get("Authorization")] {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"data":{}}`)
	})
	return s
}

func openShop(t *testing.T, s *shop, change func(*Options)) string {
	return openDoor(t, s.upstream, func(o *Options) {
		base := s.url()
		o.Storefront = func(store string, channel int) *url.URL {
			return base.JoinPath("storefronts", fmt.Sprintf("store-%s-%d", store, channel))
		}
		if change != nil {
			change(o)
		}
	}).URL
}

const shopQuery = `{"query":"{ site { settings { storeName } } }"}`

func TestAStorefrontCallGetsATokenOfItsOwn(t *testing.T) {
	s := newShop(t)
	door := openShop(t, s, func(o *Options) { o.Headers = http.Header{"Authorization": {"Basic abc"}} })
	for range 3 {
		res, body := do(t, "POST", door+"/storefront/graphql", http.Header{"Authorization": {"Bearer mine"}, "X-Auth-Token": {"mine"}, "Origin": {"http://localhost:3000"}}, strings.NewReader(shopQuery))
		if res.StatusCode != http.StatusOK || body != `{"data":{}}` {
			t.Fatalf("answer %d %q", res.StatusCode, body)
		}
	}
	if len(s.minted) != 1 || len(s.got) != 3 {
		t.Fatalf("%d tokens minted for %d calls", len(s.minted), len(s.got))
	}
	var ask struct {
		ChannelIDs []int    `json:"channel_ids"`
		ExpiresAt  int64    `json:"expires_at"`
		Scopes     []string `json:"scopes"`
	}
	head, body, _ := strings.Cut(s.minted[0], " {")
	if err := json.Unmarshal([]byte("{"+body), &ask); err != nil || head != "POST /stores/aaa111/v3/storefront/api-token-private "+testToken {
		t.Fatalf("minted by %q", s.minted[0])
	}
	if left := time.Until(time.Unix(ask.ExpiresAt, 0)); left < 20*time.Minute || left > time.Hour || fmt.Sprint(ask.ChannelIDs, ask.Scopes) != "[1] [Unauthenticated Customer]" {
		t.Errorf("asked for %+v", ask)
	}
	got := s.got[0]
	if got.URI != "/storefronts/store-aaa111-1/graphql" || got.Body != shopQuery || fmt.Sprint(got.Header["Authorization"]) != "[Bearer jwt-1]" ||
		got.Header.Get("X-Auth-Token") != "" || got.Header.Get("X-Auth-Client") != "" || got.Header.Get("Origin") != "" {
		t.Errorf("the storefront received %+v", got)
	}
}

func TestChannelsHaveTokensOfTheirOwn(t *testing.T) {
	s := newShop(t)
	door := openShop(t, s, nil)
	do(t, "POST", door+"/stores/bbb222/storefront/graphql?a=1;2&channel_id=7&b", nil, strings.NewReader(shopQuery))
	do(t, "POST", door+"/stores/bbb222/storefront/graphql", http.Header{"Bcdev-Channel": {"8"}}, strings.NewReader(shopQuery))
	if len(s.minted) != 2 || !strings.Contains(s.minted[0], "/stores/bbb222/") || !strings.Contains(s.minted[0], `[7]`) || !strings.Contains(s.minted[1], `[8]`) {
		t.Errorf("minted %q", s.minted)
	}
	if s.got[0].URI != "/storefronts/store-bbb222-7/graphql?a=1;2&b" || s.got[1].URI != "/storefronts/store-bbb222-8/graphql" {
		t.Errorf("received %+v", s.got)
	}
	res, body := do(t, "POST", door+"/storefront/graphql?channel_id=../x", nil, strings.NewReader(shopQuery))
	refused(t, res, body, 400, "bad_channel")
}

func TestARefusedStorefrontTokenIsRenewedOnce(t *testing.T) {
	s := newShop(t)
	door := openShop(t, s, nil)
	s.revoked["Bearer jwt-1"] = true
	res, _ := do(t, "POST", door+"/storefront/graphql", nil, strings.NewReader(shopQuery))
	if res.StatusCode != http.StatusOK || len(s.minted) != 2 || len(s.got) != 2 || s.got[1].Body != shopQuery {
		t.Errorf("answer %d, %d minted, received %+v", res.StatusCode, len(s.minted), s.got)
	}
	for i := range 10 {
		s.revoked[fmt.Sprint("Bearer jwt-", i)] = true
	}
	if res, _ = do(t, "POST", door+"/storefront/graphql", nil, strings.NewReader(shopQuery)); res.StatusCode != http.StatusUnauthorized || len(s.got) != 4 {
		t.Errorf("answer %d after %d calls, want the 401 after one renewal", res.StatusCode, len(s.got)-2)
	}
}

func TestARefusedMintingIsExplained(t *testing.T) {
	s := newShop(t)
	s.refuse = 403
	door := openShop(t, s, nil)
	res, body := do(t, "POST", door+"/storefront/graphql", nil, strings.NewReader(shopQuery))
	if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "required scope") || !strings.Contains(res.Header.Get("Bcdev-Hint"), "store_storefront_api") {
		t.Errorf("answer %d %q, hint %q", res.StatusCode, body, res.Header.Get("Bcdev-Hint"))
	}
	if len(s.got) != 0 {
		t.Error("the storefront was called all the same")
	}
}

func TestReadOnlyHoldsForTheStorefrontButLetsItsTokenBeMade(t *testing.T) {
	s := newShop(t)
	var rec recorder
	door := openShop(t, s, func(o *Options) {
		o.ReadOnly = func(string) bool { return true }
		o.Record = func(next http.RoundTripper) http.RoundTripper { rec.next = next; return &rec }
	})
	res, body := do(t, "POST", door+"/storefront/graphql", nil, strings.NewReader(`{"query":"mutation { cart { x } }"}`))
	refused(t, res, body, 403, "read_only")
	if len(s.minted)+len(s.got) != 0 {
		t.Error("something was sent")
	}
	if res, _ = do(t, "POST", door+"/storefront/graphql", nil, strings.NewReader(shopQuery)); res.StatusCode != http.StatusOK {
		t.Errorf("a query got %d", res.StatusCode)
	}
	for _, r := range rec.got {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Auth-Token") != "" {
			t.Errorf("the recorder saw a token on %s", r.URL)
		}
	}
	if len(rec.got) != 3 {
		t.Errorf("%d calls were recorded, want the refused one, the minting and the query", len(rec.got))
	}
}

func TestManyStorefrontCallsMintOneToken(t *testing.T) {
	s := newShop(t)
	door := openShop(t, s, nil)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { do(t, "POST", door+"/storefront/graphql", nil, strings.NewReader(shopQuery)) })
	}
	wg.Wait()
	if len(s.minted) != 1 || len(s.got) != 10 {
		t.Errorf("%d tokens for %d calls", len(s.minted), len(s.got))
	}
}

func TestAStorefrontTokenIsRenewedBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := limitedProxy(&limited{}, RetryPolicy{}, nil)
		p.upstream = roundTripFunc(func(r *http.Request) (*http.Response, error) {
			n++
			return canned(r, 200, http.Header{}, fmt.Appendf(nil, `{"data":{"token":"jwt-%d"}}`, n)), nil
		})
		token := func() string {
			value, res, err := p.storefront.token(t.Context(), destination{kind: kindStorefront, store: "aaa111", channel: 1})
			if err != nil || res != nil {
				t.Fatal(res, err)
			}
			return value
		}
		first := token()
		time.Sleep(storefrontLife - storefrontEarly - time.Second) // under synctest's clock
		if token() != first {
			t.Error("renewed too early")
		}
		time.Sleep(2 * time.Second)
		if token() == first {
			t.Error("not renewed")
		}
	})
}
