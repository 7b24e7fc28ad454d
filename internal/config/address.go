package config

import (
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// checkDoors holds every listener to this machine, unless --allow-lan opened it. With --allow-lan
// the API door's key is required, whatever the file says.
func (l *loader) checkDoors() {
	c := l.c
	taken := map[string]string{}
	for _, d := range []struct {
		key  string
		addr *string
		used bool
	}{
		{"proxy.listen", &c.Proxy.Listen, true},
		{"inspector.listen", &c.Inspector.Listen, true},
		{"forward_proxy.listen", &c.ForwardProxy.Listen, c.ForwardProxy.Listen != ""},
		{"tunnel.listen", &c.Tunnel.Listen, c.Tunnel.Provider == "none"},
		{"sandbox.listen", &c.Sandbox.Listen, true},
	} {
		if !d.used {
			continue
		}
		l.door(d.key, d.addr)
		if other := taken[*d.addr]; other != "" && !strings.HasSuffix(*d.addr, ":0") {
			l.bad("same_address", d.key, "give each its own port", "is the same address as %s", other)
		}
		taken[*d.addr] = d.key
	}
	if l.o.AllowLAN && c.Proxy.Key != "required" {
		if c.Origins["proxy.key"] != "default" {
			l.warn("key_forced", "proxy.key", "", "--allow-lan requires the key: this setting is not followed")
		}
		c.Proxy.Key, c.Origins["proxy.key"] = "required", "flag"
	}
}

func (l *loader) door(path string, addr *string) {
	if socket, ok := strings.CutPrefix(*addr, "unix://"); ok && path == "proxy.listen" {
		if !filepath.IsAbs(socket) {
			l.bad("bad_listen", path, "write unix:///path/to/socket", "the path of a socket must be absolute")
		}
		return
	}
	host, port, err := net.SplitHostPort(*addr)
	number, badPort := strconv.ParseUint(port, 10, 16)
	switch ip := net.ParseIP(host); {
	case err != nil || badPort != nil:
		l.bad("bad_listen", path, "e.g. 127.0.0.1:7070; port 0 takes a free one", "%s is not an address host:port", l.show(path, *addr))
	case isLoopback(host):
		*addr = net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(number, 10))
	case host != "" && ip == nil:
		l.bad("bad_listen", path, "use 127.0.0.1", "the host must be an IP address or localhost")
	case !l.o.AllowLAN:
		l.bad("not_loopback", path, "use 127.0.0.1, or start with --allow-lan",
			"%s can be reached from other machines, and who reaches it uses your credentials", l.show(path, *addr))
	}
}

// isLoopback reports that a host is this machine, without asking any name server: names under
// .localhost never leave it (RFC 6761, 6.3).
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func loopbackURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && isLoopback(u.Hostname())
}

// checkOwnProxy refuses to start when the environment sends our own requests to one of our own
// doors: every call would go round for ever.
func (l *loader) checkOwnProxy() {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"} {
		raw := l.env[name]
		if raw == "" {
			continue
		}
		if !strings.Contains(raw, "://") {
			raw = "http://" + raw
		}
		u, err := url.Parse(raw)
		if err != nil || !isLoopback(u.Hostname()) {
			continue
		}
		for _, addr := range []string{l.c.ForwardProxy.Listen, l.c.Proxy.Listen, l.c.Inspector.Listen} {
			if _, port, err := net.SplitHostPort(addr); err == nil && port != "0" && port == u.Port() {
				l.add(Problem{Code: "own_proxy", Text: "the environment variable " + name + " points at bcdev itself",
					Next: "unset " + name + " in the shell that starts bcdev; it is meant for your app"})
				return
			}
		}
	}
}
