package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// checkAllowUpstream: hosts count only when the command line names them. The file may list them
// as well, for the reader, but never by itself.
func (l *loader) checkAllowUpstream() {
	var named []string
	for _, host := range l.o.AllowUpstream {
		if host = strings.ToLower(strings.TrimSpace(host)); !plainHost(host) {
			l.add(Problem{Code: "bad_value", Key: "--allow-upstream", Text: "is not a host name, with or without a port", Next: "e.g. --allow-upstream api.example.com"})
			continue
		}
		named = append(named, host)
	}
	l.o.AllowUpstream = named
	for i, host := range l.c.AllowUpstream {
		path := fmt.Sprintf("allow_upstream[%d]", i)
		switch host = strings.ToLower(host); {
		case !plainHost(host):
			l.bad("bad_value", path, "e.g. api.example.com", "%s is not a host name, with or without a port", l.show(path, host))
		case !l.named(host) && !isLoopback(hostOf(host)) && !bigcommerceHost(hostOf(host)):
			l.notAllowed(path, host)
		}
	}
	l.c.AllowUpstream = slices.Clone(named)
}

func (l *loader) notAllowed(path, host string) {
	name := clip(host)
	if l.expanded[path] {
		name = "HOST"
	}
	l.bad("upstream_not_allowed", path, "if you trust it, name it yourself: --allow-upstream "+name,
		"%s is not a host of BigCommerce, and a configuration alone may not name another one", l.show(path, host))
}

// named reports that the command line names a host; an entry without port stands for every port.
func (l *loader) named(hostport string) bool {
	hostport = strings.ToLower(hostport)
	return slices.Contains(l.o.AllowUpstream, hostport) || slices.Contains(l.o.AllowUpstream, hostOf(hostport))
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func plainHost(s string) bool {
	u, err := url.Parse("//" + s)
	return err == nil && s != "" && u.Host == s && u.Hostname() != "" && !strings.ContainsAny(s, "*,%")
}

// bigcommerceHost: BigCommerce gives no one else a name under bigcommerce.com.
func bigcommerceHost(host string) bool {
	return host == "bigcommerce.com" || strings.HasSuffix(host, ".bigcommerce.com")
}

// storefrontHost adds the stores' own canonical hosts (store-{hash}.mybigcommerce.com).
func storefrontHost(host string) bool {
	return bigcommerceHost(host) || strings.HasSuffix(host, ".mybigcommerce.com")
}

func (l *loader) checkBigCommerce() {
	b := &l.c.BigCommerce
	l.upstream("bigcommerce.login_url", &b.LoginURL, bigcommerceHost)
	l.upstream("bigcommerce.api_url", &b.APIURL, bigcommerceHost)
	l.upstream("bigcommerce.storefront_url", &b.StorefrontURL, storefrontHost)
}

// upstream checks a URL that credentials are sent to.
func (l *loader) upstream(path string, value *string, own func(string) bool) {
	u := l.httpURL(path, strings.ReplaceAll(*value, "{hash}", "0"))
	if u == nil {
		return
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case isLoopback(host):
	case u.Scheme != "https":
		l.bad("plain_http", path, "write https://", "credentials travel over https only; plain http is for this machine")
	case !own(host) && !l.named(strings.ToLower(u.Host)):
		l.notAllowed(path, strings.ToLower(u.Host))
	}
	*value = strings.TrimRight(*value, "/")
}

// httpURL parses an absolute http(s) URL without user, query and fragment, or complains.
func (l *loader) httpURL(path, value string) *url.URL {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		l.bad("bad_url", path, "e.g. https://host:port", "%s is not an http or https URL without user, query and fragment", l.show(path, value))
		return nil
	}
	return u
}

// localApp checks a URL that callbacks are brought to. They hold codes and signed payloads, so a
// file alone may only name this machine.
func (l *loader) localApp(path, setting string, value *string) {
	if *value == "" {
		return
	}
	u := l.httpURL(path, *value)
	if u == nil {
		return
	}
	if !isLoopback(u.Hostname()) && l.byFile(setting) && !l.named(u.Host) {
		l.bad("not_local", path, fmt.Sprintf("if it is yours, set %s in the environment, or start with --allow-upstream", variable(setting)),
			"%s is not this machine, and a configuration alone may not send callbacks elsewhere", l.show(path, u.Host))
	}
}

// hookDestination: a path of the public URL, or a URL whose host the user stands for.
func (l *loader) hookDestination(path, value string) {
	switch {
	case value == "" || strings.HasPrefix(value, "/") && callbackPath.MatchString(value) && !dotted(value):
	case strings.HasPrefix(value, "/"):
		l.bad("bad_path", path, "e.g. /webhooks/orders", "%s is not a path without query", l.show(path, value))
	default:
		u := l.httpURL(path, value)
		if u == nil {
			return
		}
		if u.Scheme != "https" {
			l.bad("plain_http", path, "write https://", "BigCommerce delivers webhooks to https only")
		} else if l.byFile("app.hooks") && !l.named(u.Host) {
			l.bad("not_local", path, "give a path of the public URL, or start with --allow-upstream", "a configuration alone may not send the store's webhooks to another host")
		}
	}
}

func (l *loader) checkTunnel() {
	t := &l.c.Tunnel
	l.oneOf("tunnel.provider", t.Provider, "ngrok", "none")
	l.credential("tunnel.authtoken", t.Authtoken.Reveal())
	if t.URL != "" && !strings.Contains(t.URL, "://") {
		t.URL = "https://" + t.URL
	}
	l.publicURL("tunnel.url", &t.URL)
	l.publicURL("tunnel.public_url", &t.PublicURL)
	if t.Provider == "none" && t.PublicURL == "" {
		l.bad("missing", "tunnel.public_url", "give the https URL under which your own tunnel is reached", "tunnel.provider none needs it")
	}
	l.inFolder("tunnel.traffic_policy", &t.TrafficPolicy)
	l.inFolder("tunnel.connect_cas", &t.ConnectCAs)
	l.connectURL("tunnel.connect_url", t.ConnectURL)
}

// publicURL checks what the world sees: https, a host, nothing behind it.
func (l *loader) publicURL(path string, value *string) {
	if *value == "" {
		return
	}
	u := l.httpURL(path, *value)
	switch {
	case u == nil:
	case u.Scheme != "https" && !isLoopback(u.Hostname()):
		l.bad("plain_http", path, "write https://", "BigCommerce calls https only")
	case u.Path != "" && u.Path != "/":
		l.bad("bad_url", path, "callback paths are set in app.callbacks", "must have no path")
	default:
		*value = u.Scheme + "://" + strings.ToLower(u.Host)
	}
}

// connectURL checks where the ngrok token is sent: ngrok's own hosts, this machine, or a host
// that the command line names.
func (l *loader) connectURL(path, value string) {
	if value == "" {
		return
	}
	host, port, err := net.SplitHostPort(value)
	own := strings.HasSuffix(host, ".ngrok.com") || strings.HasSuffix(host, ".ngrok-agent.com")
	switch {
	case err != nil || host == "" || port == "":
		l.bad("bad_value", path, "e.g. 127.0.0.1:7081", "%s is not an address host:port", l.show(path, value))
	case !own && !isLoopback(host) && !l.named(value):
		l.bad("upstream_not_allowed", path, "if you trust it, start with --allow-upstream",
			"%s is not a host of ngrok, and a configuration alone may not send your token elsewhere", l.show(path, value))
	}
}
