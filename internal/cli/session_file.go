package cli

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bcdev/internal/config"
)

// sessionFile says where a running bcdev can be reached, for the commands beside it. It is there
// from ready to the end; after a crash it is left behind, and the lock tells.
const sessionFile = "session.json"

type running struct {
	PID       int       `json:"pid"`
	Since     time.Time `json:"since"`
	PublicURL string    `json:"public_url"`
	ProxyURL  string    `json:"proxy_url"` // with the key, where one is required
	WindowURL string    `json:"window_url"`
	ForwardTo string    `json:"forward_to,omitempty"` // the local app
}

// announce writes the session file, and returns a function that removes it.
func (s *session) announce() (remove func()) {
	file := filepath.Join(s.state, sessionFile)
	r := running{PID: os.Getpid(), Since: time.Now().UTC(), PublicURL: s.tunnel.URL(), ProxyURL: s.doorURL(), ForwardTo: s.cfg.App.ForwardTo}
	if s.listeners.window != nil {
		r.WindowURL = localURL(s.listeners.window.Addr())
	}
	content, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = writePrivate(file, append(content, '\n'))
	}
	if err != nil {
		s.con.Problem("session_file", failed("other commands will not find this one", "writing %s: %w", sessionFile, err))
		return func() {}
	}
	return func() { _ = os.Remove(file) } // a file left behind is harmless
}

// findRunning is the bcdev that runs on a state folder, if one does.
func findRunning(state string) (running, bool) {
	var r running
	content, err := os.ReadFile(filepath.Join(state, sessionFile))
	if err != nil || json.Unmarshal(content, &r) != nil {
		return running{}, false
	}
	lock, err := lockState(state)
	if err != nil {
		return r, true // somebody holds it
	}
	lock.Close()
	return running{}, false
}

// publicTarget is publicURL for a command that has opened nothing yet.
func (p *program) publicTarget() (*url.URL, error) {
	cfg, err := p.config(nil)
	if err != nil {
		return nil, err
	}
	state, err := p.state()
	if err != nil {
		return nil, err
	}
	text, err := publicURL(cfg, state)
	if err != nil {
		return nil, err
	}
	return url.Parse(text)
}

// isLocalName reports whether a name is this machine's own, as those of a sandbox are.
func isLocalName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// beside is the bcdev that runs on this run's state folder, if one does.
func (p *program) beside() (running, bool) {
	state, err := p.state()
	if err != nil {
		return running{}, false
	}
	return findRunning(state)
}

// joinRunning tells a command what the bcdev beside it was told on its own command line or found
// out: the local app and the public URL.
func joinRunning(cfg *config.Config, state string) {
	r, ok := findRunning(state)
	if !ok {
		return
	}
	if cfg.App.ForwardTo == "" {
		cfg.App.ForwardTo = r.ForwardTo
	}
	if r.PublicURL != "" {
		cfg.Tunnel.PublicURL = r.PublicURL
	}
}

// publicURL is the address the world sees: that of the running bcdev, else the configuration's.
func publicURL(cfg *config.Config, state string) (string, error) {
	if r, ok := findRunning(state); ok && r.PublicURL != "" {
		return r.PublicURL, nil
	}
	if u := publicOf(cfg); u != nil {
		return u.Scheme + "://" + u.Host, nil
	}
	return "", down("start \"bcdev up\", or set tunnel.url to your domain", "nothing is running, and the public URL is not known")
}
