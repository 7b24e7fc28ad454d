package sandbox

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	hooksPerScope = 10                  // per store and client
	hookIdle      = 90 * 24 * time.Hour // without activity a hook is deactivated
	maxHooks      = 2000
	maxAdmin      = 20 // addresses for notices
)

// hook is a webhook registration, as BigCommerce shows it.
type hook struct {
	ID          int64             `json:"id"`
	ClientID    string            `json:"client_id"`
	StoreHash   string            `json:"store_hash"`
	Scope       string            `json:"scope"`
	Destination string            `json:"destination"`
	Headers     map[string]string `json:"headers"`
	IsActive    bool              `json:"is_active"`
	CreatedAt   int64             `json:"created_at"`
	UpdatedAt   int64             `json:"updated_at"`

	used        time.Time // when anything was last tried
	deactivated bool      // by the platform, not by the client
}

// takes reports whether the hook listens to a concrete scope. store/order/* takes the whole
// family, store/order/message/created included.
func (h hook) takes(scope string) bool {
	if family, ok := strings.CutSuffix(h.Scope, "*"); ok {
		return strings.HasPrefix(scope, family)
	}
	return h.Scope == scope
}

// status is what GET /hooks/admin says of a hook.
func (h hook) status() string {
	switch {
	case h.IsActive:
		return "active"
	case h.deactivated:
		return "deactivated"
	}
	return "inactive"
}

// domain is what the block list goes by.
func (h hook) domain() string { return hostOf(h.Destination) }

func hostOf(destination string) string {
	u, err := url.Parse(destination)
	if err != nil {
		return destination
	}
	return strings.ToLower(u.Host)
}

// registry keeps the hooks of all stores, and who gets notices about them.
type registry struct {
	mu     sync.Mutex
	hooks  map[int64]*hook
	next   int64
	emails map[string][]string // store and client to addresses
}

func newRegistry() *registry {
	return &registry{hooks: map[int64]*hook{}, next: 28000001, emails: map[string][]string{}}
}

// list returns a store's hooks of one client, in order of id.
func (g *registry) list(store, client string, now time.Time) []hook {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retire(now)
	var found []hook
	for _, h := range g.hooks {
		if h.StoreHash == store && h.ClientID == client {
			found = append(found, h.copy())
		}
	}
	slices.SortFunc(found, func(a, b hook) int { return int(a.ID - b.ID) })
	return found
}

func (h *hook) copy() hook {
	made := *h
	made.Headers = maps.Clone(h.Headers)
	return made
}

// retire deactivates hooks that nothing was sent to for 90 days.
func (g *registry) retire(now time.Time) {
	for _, h := range g.hooks {
		if h.IsActive && now.Sub(h.used) > hookIdle {
			h.IsActive, h.deactivated = false, true
		}
	}
}

// listeners are the active hooks that take an event, and notes that they were used.
func (g *registry) listeners(e event, now time.Time) []hook {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retire(now)
	var found []hook
	for _, h := range g.hooks {
		if h.StoreHash == e.store && h.IsActive && h.takes(e.scope) {
			h.used = now
			found = append(found, h.copy())
		}
	}
	slices.SortFunc(found, func(a, b hook) int { return int(a.ID - b.ID) })
	return found
}

// get returns a hook by id.
func (g *registry) get(id int64) (hook, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h, ok := g.hooks[id]; ok {
		return h.copy(), true
	}
	return hook{}, false
}

// deactivate is what the platform does after the last retry.
func (g *registry) deactivate(id int64, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h, ok := g.hooks[id]; ok {
		h.IsActive, h.deactivated, h.UpdatedAt = false, true, now.Unix()
	}
}

// add keeps a new hook; clash names the rule that refuses it.
func (g *registry) add(h hook, now time.Time) (hook, clash) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.hooks) >= maxHooks {
		return h, clashLimit
	}
	if c := g.clash(h); c != clashNone {
		return h, c
	}
	h.ID = g.next
	g.next++
	h.CreatedAt, h.UpdatedAt, h.used = now.Unix(), now.Unix(), now
	g.hooks[h.ID] = &h
	return h.copy(), clashNone
}

// change replaces a hook that is already there.
func (g *registry) change(h hook, now time.Time) (hook, clash) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.hooks[h.ID]; !ok {
		return h, clashGone
	}
	if c := g.clash(h); c != clashNone {
		return h, c
	}
	if h.IsActive {
		h.deactivated, h.used = false, now
	}
	h.UpdatedAt = now.Unix()
	g.hooks[h.ID] = &h
	return h.copy(), clashNone
}

// clash is why a hook cannot stand beside the others.
type clash int

const (
	clashNone      clash = iota
	clashDuplicate       // same scope and destination
	clashLimit           // ten of the scope
	clashException       // store/hook/deliveryException: one, to a destination of its own
	clashGone
)

const exceptionScope = "store/hook/deliveryException"

func (g *registry) clash(h hook) clash {
	same := 0
	for _, other := range g.hooks {
		if other.ID == h.ID || other.StoreHash != h.StoreHash || other.ClientID != h.ClientID {
			continue
		}
		switch {
		case other.Scope == h.Scope && other.Destination == h.Destination:
			return clashDuplicate
		case other.Scope == h.Scope && h.Scope == exceptionScope:
			return clashException
		case other.Destination == h.Destination && (h.Scope == exceptionScope || other.Scope == exceptionScope):
			return clashException
		case other.Scope == h.Scope:
			same++
		}
	}
	if same >= hooksPerScope {
		return clashLimit
	}
	return clashNone
}

func (g *registry) remove(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.hooks, id)
}

// removeStore deletes a client's hooks of a store, as an uninstall does.
func (g *registry) removeStore(store, client string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.hooks, func(_ int64, h *hook) bool {
		return h.StoreHash == store && h.ClientID == client
	})
}

func (g *registry) setEmails(store, client string, emails []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.emails[store+" "+client] = emails
}

func (g *registry) emailsOf(store, client string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return orEmpty(g.emails[store+" "+client])
}
