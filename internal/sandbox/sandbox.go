// Package sandbox is BigCommerce, small enough to run on one machine: the login host with its
// consent page and token endpoint, the API with a small catalogue, the webhook sender, and a
// control face that makes them act. All state is in memory and bounded.
package sandbox

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bcdev/internal/bigcommerce"
)

// DefaultStore is the store hash used when [Options.Store] is empty.
const DefaultStore = "sbx7demo1"

const (
	maxBody   = 1 << 20 // bytes of a request body that are read; more is answered 413
	maxStores = 64      // stores that may exist at a time
)

// Callbacks are the URLs an app registers in the Developer Portal, and where its webhooks go.
type Callbacks struct {
	Auth       string `json:"auth"`
	Load       string `json:"load"`
	Uninstall  string `json:"uninstall"`
	RemoveUser string `json:"remove_user"`
	Webhooks   string `json:"webhooks"`
}

// Options set up a [Sandbox]. The zero value works.
type Options struct {
	App       bigcommerce.App // made up when its ClientID is empty
	Store     string          // the default store hash
	Scopes    []string        // what the portal has ticked; a believable list when nil
	Callbacks Callbacks       // may also be set later
	// HTTP reaches the callbacks and webhook destinations. The sandbox never follows redirects
	// and sets its own time limits. Nil means a client that dials *.localhost on loopback.
	HTTP *http.Client
	Now  func() time.Time // nil means time.Now
	// TimeScale divides the delays of the webhook retry schedule; 0 means 1.
	TimeScale float64
	// LooseRedirect accepts any redirect_uri at the token endpoint. Otherwise it must be byte
	// for byte the registered auth callback, as at BigCommerce.
	LooseRedirect bool
	// ScopeNullQuirk answers a token request without a usable context with a token of scope
	// null, as BigCommerce has been seen to do; otherwise such a request is refused.
	ScopeNullQuirk bool
	// StrictHookPort demands port 443 of webhook destinations on *.localhost too, where any
	// port is taken otherwise.
	StrictHookPort bool
	Logger         *slog.Logger // nil means silence
}

// Sandbox is one far side: some stores, one app. It is safe for concurrent use.
type Sandbox struct {
	options  Options
	app      bigcommerce.App
	log      *slog.Logger
	clock    *clock
	grants   *grants
	received *record
	faults   *faults
	hooks    *registry
	courier  *courier
	tokens   *storefrontTokens
	graphql  *graphs
	routes   []route
	face     http.Handler

	asked atomic.Int64 // requests at the token endpoint

	mu        sync.Mutex
	callbacks Callbacks
	client    *http.Client
	shops     map[string]*shop
}

// New makes a sandbox and starts its webhook sender; [Sandbox.Close] ends it.
func New(o Options) *Sandbox {
	s := &Sandbox{
		options:   withDefaults(o),
		received:  &record{},
		faults:    &faults{},
		hooks:     newRegistry(),
		tokens:    newStorefrontTokens(),
		graphql:   newGraphs(),
		callbacks: o.Callbacks,
		shops:     map[string]*shop{},
	}
	s.app, s.log = s.options.App, s.options.Logger
	s.clock = &clock{source: s.options.Now}
	s.grants = newGrants()
	s.client = plainClient(s.options.HTTP)
	s.courier = newCourier(s)
	s.routes = apiRoutes()
	s.face = s.handler()
	s.openShop(s.options.Store)
	return s
}

func withDefaults(o Options) Options {
	if o.App.ClientID == "" {
		o.App = inventApp()
	}
	if o.Store == "" {
		o.Store = DefaultStore
	}
	if o.Scopes == nil {
		o.Scopes = defaultScopes()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TimeScale <= 0 {
		o.TimeScale = 1
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Scopes = slices.Clone(o.Scopes)
	return o
}

// defaultScopes is what a developer who wants to try things ticks, with the two scopes that
// BigCommerce adds by itself.
func defaultScopes() []string {
	return []string{
		"store_v2_content", "store_v2_customers", "store_v2_default",
		"store_v2_information_read_only", "store_v2_orders", "store_v2_products",
		"store_storefront_api", "users_basic_information",
	}
}

// Handler serves everything on one listener: login, API, storefront, control panel, and under
// /_control/ the control face.
func (s *Sandbox) Handler() http.Handler { return s.face }

// App is the app the portal knows.
func (s *Sandbox) App() bigcommerce.App { return s.app }

// Store is the default store's hash.
func (s *Sandbox) Store() string { return s.options.Store }

// Exchanges is how many requests reached the token endpoint, the refused ones included.
func (s *Sandbox) Exchanges() int { return int(s.asked.Load()) }

// SetCallbacks replaces what is registered in the portal.
func (s *Sandbox) SetCallbacks(c Callbacks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callbacks = c
}

// Callbacks is what is registered in the portal now.
func (s *Sandbox) Callbacks() Callbacks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.callbacks
}

// SetClient replaces the client that reaches the public URLs.
func (s *Sandbox) SetClient(c *http.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = plainClient(c)
}

func (s *Sandbox) httpClient() *http.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// Close stops the webhook sender and waits for deliveries under way, which are cancelled.
func (s *Sandbox) Close() error {
	s.courier.close()
	s.httpClient().CloseIdleConnections()
	return nil
}

// Advance moves the sandbox's clock forward and makes every webhook delivery that falls due
// on the way, in order of time, before it returns.
func (s *Sandbox) Advance(ctx context.Context, d time.Duration) error {
	return s.courier.advance(ctx, s.clock.Now().Add(d))
}
