// Package config makes one complete, valid value out of flags, the environment, one YAML file
// and defaults. Whatever is wrong is reported at once, by key and line.
package config

import "bcdev/internal/redact"

// Config is the whole configuration. The yaml tags are the keys of the file; a key's path with
// dots is also its name in [Config.Origins], in [Options.Flags] and, in capitals behind BCDEV_,
// in the environment.
type Config struct {
	App           App         `yaml:"app"`
	Tunnel        Tunnel      `yaml:"tunnel"`
	Proxy         Proxy       `yaml:"proxy"`
	ForwardProxy  Door        `yaml:"forward_proxy"`
	Inspector     Door        `yaml:"inspector"`
	Capture       Capture     `yaml:"capture"`
	Stores        []Store     `yaml:"stores"`
	BigCommerce   BigCommerce `yaml:"bigcommerce"`
	AllowUpstream []string    `yaml:"allow_upstream"`
	Hooks         Hooks       `yaml:"hooks"`
	Sandbox       Door        `yaml:"sandbox"`

	// File is the path of the file that was read, or "".
	File string `yaml:"-"`
	// Origins says where each key's value came from: "flag", "env BCDEV_PROXY_LISTEN",
	// "bcdev.yaml:12" or "default".
	Origins map[string]string `yaml:"-"`
	// Warnings are oddities that do not keep the program from starting.
	Warnings Problems `yaml:"-"`
}

// App is the BigCommerce app and the local program behind it.
type App struct {
	ClientID     string        `yaml:"client_id"`
	ClientSecret redact.Secret `yaml:"client_secret"`
	Callbacks    Callbacks     `yaml:"callbacks"`
	Webhooks     string        `yaml:"webhooks"`   // path
	ForwardTo    string        `yaml:"forward_to"` // URL of the local app, or ""
	Exchange     string        `yaml:"exchange"`   // "auto" or "app"
	Scopes       []string      `yaml:"scopes"`     // what an install should bring; empty: not compared
	Hooks        []Hook        `yaml:"hooks"`
	Routes       []Route       `yaml:"routes"`
}

// Callbacks are the paths of the app's callbacks at the public door.
type Callbacks struct {
	Auth       string `yaml:"auth"`
	Load       string `yaml:"load"`
	Uninstall  string `yaml:"uninstall"`
	RemoveUser string `yaml:"remove_user"`
}

// Hook is a webhook registration the store should have. In the file, a bare scope is enough.
type Hook struct {
	Scope       string `yaml:"scope"`
	Destination string `yaml:"destination"` // a path of the public URL, or ""; default App.Webhooks
}

// Route brings the webhooks of a scope (a trailing * matches the rest) to a URL of their own.
type Route struct {
	Scope string `yaml:"scope"`
	To    string `yaml:"to"`
}

// Tunnel is the public door.
type Tunnel struct {
	Provider      string        `yaml:"provider"` // "ngrok" or "none"
	Authtoken     redact.Secret `yaml:"authtoken"`
	URL           string        `yaml:"url"`            // "https://name", or "" for the account's dev domain
	TrafficPolicy string        `yaml:"traffic_policy"` // file; absolute after loading
	PublicURL     string        `yaml:"public_url"`     // provider none
	Listen        string        `yaml:"listen"`         // provider none
	ConnectURL    string        `yaml:"connect_url"`    // host:port of an edge, or ""
	ConnectCAs    string        `yaml:"connect_cas"`    // PEM file; absolute after loading
}

// Proxy is the API door.
type Proxy struct {
	Listen       string            `yaml:"listen"` // host:port, or unix:///path
	Store        string            `yaml:"store"`  // hash or alias
	Headers      map[string]string `yaml:"headers"`
	ClientHeader bool              `yaml:"client_header"`
	ReadOnly     bool              `yaml:"read_only"`
	Retry429     bool              `yaml:"retry_429"`
	RetryWrites  bool              `yaml:"retry_writes"`
	AllowOrigins []string          `yaml:"allow_origins"`
	Key          string            `yaml:"key"` // "off" or "required"
}

// Door is a listener with nothing else to set. An empty address means it is off.
type Door struct {
	Listen string `yaml:"listen"`
}

// Capture bounds the journal. Every limit is at least 1.
type Capture struct {
	BodyLimit     int64 `yaml:"body_limit" unit:"bytes"`
	KeepExchanges int   `yaml:"keep_exchanges"`
	KeepDays      int   `yaml:"keep_days"`
	KeepBytes     int64 `yaml:"keep_bytes" unit:"bytes"`
}

// Store is a token without OAuth: a store-level API account.
type Store struct {
	Hash     string        `yaml:"hash"`
	Alias    string        `yaml:"alias"`
	Token    redact.Secret `yaml:"token"`
	ReadOnly bool          `yaml:"read_only"`
}

// BigCommerce says where BigCommerce is. {hash} in StorefrontURL stands for the store's hash.
type BigCommerce struct {
	LoginURL      string `yaml:"login_url"`
	APIURL        string `yaml:"api_url"`
	StorefrontURL string `yaml:"storefront_url"`
}

// Hooks says what happens to webhook registrations around a session.
type Hooks struct {
	OnStart string `yaml:"on_start"` // "warn" or "sync"
	OnExit  string `yaml:"on_exit"`  // "keep", "disable" or "delete"
	Expand  bool   `yaml:"expand"`
}

// Default returns the configuration of someone who has set nothing.
func Default() Config {
	return Config{
		App: App{
			Callbacks: Callbacks{Auth: "/auth", Load: "/load", Uninstall: "/uninstall", RemoveUser: "/remove_user"},
			Webhooks:  "/webhooks",
			Exchange:  "auto",
		},
		Tunnel:    Tunnel{Provider: "ngrok", Listen: "127.0.0.1:7073"},
		Proxy:     Proxy{Listen: "127.0.0.1:7070", ClientHeader: true, Retry429: true, Key: "off"},
		Inspector: Door{Listen: "127.0.0.1:7071"},
		Capture:   Capture{BodyLimit: 1 << 20, KeepExchanges: 10_000, KeepDays: 30, KeepBytes: 1 << 30},
		BigCommerce: BigCommerce{
			LoginURL:      "https://login.bigcommerce.com",
			APIURL:        "https://api.bigcommerce.com",
			StorefrontURL: "https://store-{hash}.mybigcommerce.com",
		},
		Hooks:   Hooks{OnStart: "warn", OnExit: "keep"},
		Sandbox: Door{Listen: "127.0.0.1:7080"},
	}
}
