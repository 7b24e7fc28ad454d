package sandbox

import (
	"sync"
	"time"

	"bcdev/internal/bigcommerce"
)

const (
	codeLife  = 60 * time.Second // BigCommerce publishes none
	maxCodes  = 1000             // codes remembered at a time, spent ones included
	maxTokens = 1000
)

// code is one authorization code. It can be spent once.
type code struct {
	store    string
	scopes   []string
	redirect string // the auth callback this install uses
	user     bigcommerce.User
	expires  time.Time
	spent    bool
}

// grant is what a token opens.
type grant struct {
	store  string
	scopes []string
	static bool // made without OAuth: outlives installs
}

// grants keeps the codes and tokens of the app.
type grants struct {
	mu     sync.Mutex
	codes  map[string]*code
	order  []string // codes, oldest first
	tokens map[string]grant
	app    map[string]string // store hash to the app's token
}

func newGrants() *grants {
	return &grants{codes: map[string]*code{}, tokens: map[string]grant{}, app: map[string]string{}}
}

// issue makes a code; the oldest is forgotten when there are too many.
func (g *grants) issue(c code) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.order) >= maxCodes {
		delete(g.codes, g.order[0])
		g.order = g.order[1:]
	}
	word := inventWord(31)
	g.codes[word] = &c
	g.order = append(g.order, word)
	return word
}

// peek returns a code without spending it.
func (g *grants) peek(word string) (code, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.codes[word]; ok {
		return *c, true
	}
	return code{}, false
}

// spend uses up a code; false when it is unknown, used or too old.
func (g *grants) spend(word string, now time.Time) (code, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.codes[word]
	if !ok || c.spent || now.After(c.expires) {
		return code{}, false
	}
	c.spent = true
	return *c, true
}

// install makes the app's token for a store; the one before it is dead from now on.
func (g *grants) install(store string, scopes []string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.tokens, g.app[store])
	token := inventWord(31)
	g.tokens[token] = grant{store: store, scopes: scopes}
	g.app[store] = token
	return token
}

// mint makes a token without OAuth, as a store-level API account has one; false when there
// are too many.
func (g *grants) mint(store string, scopes []string) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.tokens) >= maxTokens {
		return "", false
	}
	token := inventWord(31)
	g.tokens[token] = grant{store: store, scopes: scopes, static: true}
	return token, true
}

// uninstall kills the app's token for a store.
func (g *grants) uninstall(store string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.tokens, g.app[store])
	delete(g.app, store)
}

// installed reports whether the app has a token for the store.
func (g *grants) installed(store string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.app[store] != ""
}

// of returns what a token opens.
func (g *grants) of(token string) (grant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.tokens[token]
	return found, ok
}
