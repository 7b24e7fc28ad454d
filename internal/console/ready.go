package console

import (
	"fmt"
	"strings"
)

// DraftApps is where the Developer Portal's owner installs an app that is not published yet
// (BigCommerce docs, Apps > Managing apps in the Developer Portal).
const DraftApps = "https://login.bigcommerce.com/deep-links/manage/marketplace/apps/my-apps/drafts"

// Ready is what can be reached, and where.
type Ready struct {
	PublicURL    string
	ProxyURL     string
	InspectorURL string
	ForwardURL   string            // the forward door, "" when it is off
	TunnelListen string            // where another tunnel sends what it gets, "" with one of our own
	Callbacks    map[string]string // "auth", "load", "uninstall", "remove_user", "webhooks"
	Forward      string            // the local app, "" without one
	Stores       []string          // as the developer calls them: alias or hash
	VaultWhere   string            // where grants are kept, in words
	JournalPath  string
	StateDir     string
	DraftApps    string // the page with the install button; "" means the constant of that name
	Provider     string // "ngrok", "none"
	Sandbox      bool   // the far side is on this machine
	ControlURL   string // the sandbox's control face, if any
	Key          string // the API door's key, when it asks for one
	Next         []string
}

// callbackNames are the callbacks in the order of the Developer Portal.
var callbackNames = []string{"auth", "load", "uninstall", "remove_user", "webhooks"}

// Ready says that everything listens and where.
func (c *Console) Ready(r Ready) {
	if c.readyEvent(r) {
		return
	}
	s := c.sheet()
	s.line().put(strong, "bcdev is ready")
	if r.Sandbox {
		s.put(faint, "  sandbox: "+played(r)+" played on this machine")
	}
	s.line()
	s.row("public", link, r.PublicURL, providerNote(r))
	s.row("API door", link, r.ProxyURL, keyNote(r))
	s.row("forward", link, r.ForwardURL, "as HTTPS_PROXY")
	s.row("window", link, r.InspectorURL, "")
	s.row("local app", link, r.Forward, "")
	s.row("control", link, r.ControlURL, "")
	s.callbackRows(r)
	s.keepRows(r)
	if len(r.Next) > 0 {
		s.line().nextRows(r.Next)
	}
	c.toOut(s.line())
}

// played says what of the far side is on this machine: the tunnel may be a real one.
func played(r Ready) string {
	if strings.Contains(r.PublicURL, ".localhost") && r.Provider == "ngrok" {
		return "BigCommerce and ngrok are"
	}
	return "BigCommerce is"
}

func (c *Console) readyEvent(r Ready) bool {
	callbacks := ordered{}
	for _, name := range callbackNames {
		callbacks = append(callbacks, field{name, r.Callbacks[name]})
	}
	members := []field{
		{"public_url", r.PublicURL}, {"proxy_url", r.ProxyURL}, {"inspector_url", r.InspectorURL},
		{"forward_url", r.ForwardURL}, {"tunnel_listen", r.TunnelListen}, {"callbacks", callbacks},
		{"forward_to", r.Forward}, {"stores", list(r.Stores)}, {"vault", r.VaultWhere},
		{"journal", r.JournalPath}, {"state_dir", r.StateDir}, {"provider", r.Provider},
		{"sandbox", r.Sandbox},
	}
	if r.ControlURL != "" {
		members = append(members, field{"control_url", r.ControlURL})
	}
	if r.Key != "" {
		members = append(members, field{"proxy_key", r.Key})
	}
	return c.event("ready", members...)
}

func providerNote(r Ready) string {
	if r.TunnelListen != "" {
		return "send it to " + r.TunnelListen
	}
	if r.Provider == "none" || r.Provider == "" {
		return ""
	}
	return "by " + r.Provider
}

func keyNote(r Ready) string {
	if r.Key == "" {
		return ""
	}
	return "call it as " + strings.TrimSuffix(r.ProxyURL, "/") + "/k/" + r.Key + "/v3/…"
}

func (s *sheet) callbackRows(r Ready) {
	if len(r.Callbacks) == 0 {
		return
	}
	title := "Paste these in the Developer Portal, app > Technical"
	if r.Sandbox {
		title = "What the Developer Portal would have to know"
	}
	s.line().put(strong, title).line()
	for _, name := range callbackNames {
		if name != "webhooks" {
			s.row(callbackTitle(name), link, r.Callbacks[name], "")
		}
	}
	s.row("webhooks to", link, r.Callbacks["webhooks"], "")
	if !r.Sandbox {
		page := r.DraftApps
		if page == "" {
			page = DraftApps
		}
		s.row("install at", link, page, "My Draft Apps of your store")
	}
}

func callbackTitle(name string) string {
	switch name {
	case "auth":
		return "auth callback"
	case "load":
		return "load callback"
	case "uninstall":
		return "uninstall"
	case "remove_user":
		return "remove user"
	}
	return name
}

func (s *sheet) keepRows(r Ready) {
	stores := strings.Join(r.Stores, ", ")
	if stores == "" {
		stores = "none yet: install the app"
	}
	s.line()
	s.row("stores", strong, stores, "")
	s.row("tokens in", plain, r.VaultWhere, "")
	s.row("journal", plain, r.JournalPath, "")
}

func (s *sheet) nextRows(next []string) {
	s.put(strong, "Next").line()
	for _, step := range next {
		s.pad(2).put(good, s.mark("▶")).pad(4).put(plain, step).line()
	}
}

// Next says what to try, one thing a line, ready to be copied.
func (c *Console) Next(steps []string) {
	if len(steps) == 0 || c.event("next", field{"steps", steps}) {
		return
	}
	s := c.sheet()
	s.nextRows(steps)
	c.toOut(s.line())
}

// row is one line of the card: name, value, and a note where it fits. Rows without a value are
// left out.
func (s *sheet) row(name string, i ink, text, note string) {
	if text == "" {
		return
	}
	const left = 17
	s.pad(2).put(faint, name).pad(left).put(i, text)
	if note != "" {
		if s.width > 0 && s.col+2+cells(escape(note)) > s.width {
			s.line().pad(left)
		} else {
			s.put(plain, "  ")
		}
		s.put(faint, note)
	}
	s.line()
}

// SandboxReady is where the far side listens, and whom it knows. Its secrets are the sandbox's
// own and open nothing else.
type SandboxReady struct {
	LoginURL     string `json:"login_url"`
	APIURL       string `json:"api_url"`
	EdgeAddr     string `json:"edge_addr"`
	EdgeCA       string `json:"edge_ca"`
	ControlURL   string `json:"control_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Authtoken    string `json:"authtoken"`
	Store        string `json:"store"`
	PublicURL    string `json:"public_url,omitempty"` // base of the edge's public addresses
	// Env points another bcdev at this far side: variables by name.
	Env map[string]string `json:"env,omitempty"`
	// EnvLines are the same for a shell, and what to run after them.
	EnvLines []string `json:"-"`
}

// SandboxReady says that the far side listens.
func (c *Console) SandboxReady(r SandboxReady) {
	if c.o.JSON {
		c.JSONLine("ready", r)
		return
	}
	s := c.sheet()
	s.line().put(strong, "the sandbox is ready").line()
	s.row("login", link, r.LoginURL, "")
	s.row("API", link, r.APIURL, "")
	s.row("control", link, r.ControlURL, "")
	s.row("edge", link, r.EdgeAddr, "where ngrok agents connect")
	s.row("edge CA", plain, r.EdgeCA, "")
	s.row("public", link, r.PublicURL, "")
	s.row("client ID", plain, r.ClientID, "")
	s.row("client secret", plain, r.ClientSecret, "")
	s.row("authtoken", plain, r.Authtoken, "")
	s.row("store", strong, r.Store, "")
	if len(r.EnvLines) > 0 {
		s.line().put(strong, "To use it, paste this in another terminal").line()
		for _, text := range r.EnvLines {
			s.put(plain, text).line()
		}
	}
	c.toOut(s.line())
}

// Step tells one step of the demo's journey: what just happened, and what it means.
func (c *Console) Step(n int, title string, ok bool, detail string) {
	if c.event("step", field{"n", n}, field{"title", title}, field{"ok", ok}, field{"detail", detail}) {
		return
	}
	s := c.sheet()
	s.verdict(ok).put(plain, " ").put(strong, fmt.Sprintf("%d. %s", n, title)).line()
	if detail != "" {
		s.pad(5).wrap(faint, 5, detail).line()
	}
	c.toOut(s.line())
}

// stepNames are the demo's steps in their order.
var stepNames = []string{"tunnel", "callback", "exchange", "proxy", "webhook", "replay"}

// Summary says how the demo's journey went. It is the last line of a journey made once.
func (c *Console) Summary(ok bool, steps map[string]bool) {
	held := ordered{}
	for _, name := range stepNames {
		held = append(held, field{name, steps[name]})
	}
	if c.event("summary", field{"ok", ok}, field{"steps", held}) {
		return
	}
	s := c.sheet()
	for i, name := range stepNames {
		if i > 0 {
			s.put(plain, "  ")
		}
		s.verdict(steps[name]).put(plain, " "+name)
	}
	s.line()
	if ok {
		s.put(good, "every step held")
	} else {
		s.put(bad, "not every step held")
	}
	c.toOut(s.line())
}

func (s *sheet) verdict(ok bool) *sheet {
	if ok {
		return s.put(good, s.mark("✔"))
	}
	return s.put(bad, s.mark("✘"))
}
