package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A storefront token is made for half an hour and renewed a little before its end.
const (
	storefrontLife  = 30 * time.Minute
	storefrontEarly = 2 * time.Minute
	mintTimeout     = 30 * time.Second
)

type storefrontKey struct {
	store   string
	channel int
}

// storefrontToken is one store's and channel's token; its lock makes concurrent calls wait for one
// minting instead of each making its own.
type storefrontToken struct {
	mu    sync.Mutex
	value string
	until time.Time
}

// minter makes private storefront tokens, the only kind that is good for calls from server to server
// (BigCommerce docs, Authentication > GraphQL Storefront).
type minter struct {
	p      *Proxy
	mu     sync.Mutex
	tokens map[storefrontKey]*storefrontToken
}

// roundTrip sends a storefront call with a token, and once more with a new one after a 401.
func (m *minter) roundTrip(req *http.Request, to destination) (*http.Response, error) {
	body, err := hold(req)
	if err != nil {
		return nil, err
	}
	for again := false; ; again = true {
		token, no, err := m.token(req.Context(), to)
		if err != nil || no != nil {
			closeBody(req)
			return no, err
		}
		out := body.next(req)
		if out == req {
			out = req.WithContext(req.Context())
		}
		out.Header = req.Header.Clone()
		out.Header.Set("Authorization", "Bearer "+token)
		res, err := m.p.deliver(out)
		if err != nil || res.StatusCode != http.StatusUnauthorized {
			return res, err
		}
		m.forget(to, token)
		if again || !body.whole {
			return res, nil
		}
		res.Body.Close()
	}
}

func (m *minter) entry(to destination) *storefrontToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := storefrontKey{to.store, to.channel}
	if m.tokens[key] == nil {
		m.tokens[key] = &storefrontToken{}
	}
	return m.tokens[key]
}

// forget drops a token that was refused, unless somebody has renewed it already.
func (m *minter) forget(to destination, value string) {
	t := m.entry(to)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == value {
		t.value = ""
	}
}

// token returns a token that is good, or upstream's answer that refuses one.
func (m *minter) token(ctx context.Context, to destination) (string, *http.Response, error) {
	t := m.entry(to)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != "" && time.Now().Before(t.until) {
		return t.value, nil, nil
	}
	ends := time.Now().Add(storefrontLife)
	res, err := m.mint(ctx, to, ends)
	if err != nil {
		return "", nil, fmt.Errorf("making a storefront token: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, tokenBody))
	res.Body.Close()
	if err != nil {
		return "", nil, fmt.Errorf("making a storefront token: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return "", refusedMint(res, raw), nil
	}
	var answer struct{ Data struct{ Token string } }
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Data.Token == "" || !httpguts.ValidHeaderFieldValue(answer.Data.Token) {
		return "", nil, fmt.Errorf("making a storefront token: upstream's answer holds none")
	}
	t.value, t.until = answer.Data.Token, ends.Add(-storefrontEarly)
	return t.value, nil, nil
}

// refusedMint is upstream's refusal as the answer to the storefront call itself.
func refusedMint(res *http.Response, body []byte) *http.Response {
	h := res.Header.Clone()
	h.Del("Content-Length")
	hint := "this came from making the storefront token, not from the storefront"
	if res.StatusCode == http.StatusForbidden {
		hint += ": the app needs the scope store_storefront_api (Storefront API tokens)"
	}
	if h.Get(headerHint) == "" {
		h.Set(headerHint, hint)
	}
	return canned(res.Request, res.StatusCode, h, body)
}

type mintKey struct{}

// minting reports whether a request makes a storefront token. That changes nothing in the store, so
// read-only allows it.
func minting(req *http.Request) bool { return req.Context().Value(mintKey{}) != nil }

// mint asks for a token through the whole chain: it is seen, recorded and signed as any call. It
// goes on when the client leaves, since others may wait for it.
func (m *minter) mint(ctx context.Context, to destination, ends time.Time) (*http.Response, error) {
	ctx = context.WithValue(detached{context.WithoutCancel(ctx)}, mintKey{}, true)
	ctx, cancel := context.WithTimeout(ctx, mintTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{
		"channel_ids": []int{to.channel}, "expires_at": ends.Unix(), "scopes": []string{"Unauthenticated", "Customer"},
	})
	if err != nil {
		return nil, err
	}
	target := (&url.URL{Scheme: m.p.o.API.Scheme, Host: m.p.o.API.Host, Path: "/stores/" + to.store + "/v3/storefront/api-token-private"}).String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "bcdev")
	if m.p.o.ClientHeader && m.p.o.ClientID != "" {
		req.Header.Set("X-Auth-Client", m.p.o.ClientID)
	}
	res, err := m.p.chain.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// Read within the time limit: the context ends with this function.
	raw, err := io.ReadAll(io.LimitReader(res.Body, tokenBody))
	res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader(string(raw)))
	return res, err
}
