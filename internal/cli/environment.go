package cli

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
)

// upstreamProxy is the proxy that the environment names for the way to BigCommerce. One that is
// this program's own forward door would make a loop: it is passed over, and that is said.
func (s *session) upstreamProxy() func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := http.ProxyFromEnvironment(r)
		if err != nil || u == nil {
			return u, err
		}
		if s.ownAddress(u) {
			if s.lowQuota.first("proxy loop", 1<<62) {
				s.con.Notef("HTTPS_PROXY points at bcdev's own door (%s); it is not used for calls to BigCommerce", u.Host)
			}
			return nil, nil
		}
		return u, nil
	}
}

// ownAddress reports whether u is one of this program's doors.
func (s *session) ownAddress(u *url.URL) bool {
	for _, l := range []net.Listener{s.listeners.forward, s.listeners.api, s.listeners.window} {
		if l == nil {
			continue
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err == nil && port == portOf(u) && isLocalHost(u.Hostname()) {
			return true
		}
	}
	return false
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

func isLocalHost(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// upstreamTransport is the connection pool of the token exchange.
func (s *session) upstreamTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = s.upstreamProxy()
	return t
}

// home is the person's folder by the environment, or nothing.
func (p *program) home() string {
	if runtime.GOOS == "windows" {
		return lookup(p.Env, "USERPROFILE")
	}
	return lookup(p.Env, "HOME")
}

// userConfigDir is where programs keep configuration, or nothing on a machine without a home:
// then only ./bcdev.yaml is looked for.
func (p *program) userConfigDir() string {
	if runtime.GOOS == "windows" {
		return lookup(p.Env, "AppData")
	}
	if dir := lookup(p.Env, "XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	home := p.home()
	if home == "" {
		return ""
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support")
	}
	return filepath.Join(home, ".config")
}

// stateTaken says that another bcdev runs on the same state folder.
func stateTaken(dir string) error {
	return failed("stop the other one, or give this one a folder of its own with --state-dir",
		"another bcdev is running with the state folder %s", dir)
}

// stateUnlocked wraps what went wrong with the lock itself.
func stateUnlocked(err error) error { return fmt.Errorf("locking the state folder: %w", err) }
