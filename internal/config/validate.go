package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// validate holds every value to its rules. Where it is right, it is brought into one form:
// header names canonical, hosts lower case, paths of files absolute.
func (l *loader) validate() {
	l.checkText()
	l.checkAllowUpstream()
	l.checkApp()
	l.checkTunnel()
	l.checkProxy()
	l.checkDoors()
	l.checkCapture()
	l.checkStores()
	l.checkBigCommerce()
	l.checkHooks()
	l.checkOwnProxy()
	l.checkFileMode()
}

// checkText refuses control characters everywhere. Secrets and headers have rules of their own.
func (l *loader) checkText() {
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if !isSecret(v) && controls(v.String()) {
				l.bad("control_character", path, "type it anew", "holds a control character")
				v.SetString("")
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Tag.Get("yaml"), v.Field(i))
			}
		}
	}
	for _, k := range l.keys {
		walk(k.path, k.value)
	}
}

// oneOf checks a word out of a short list.
func (l *loader) oneOf(path, value string, words ...string) {
	if !slices.Contains(words, value) {
		l.bad("bad_value", path, "write one of them, or leave it out", "must be %s, not %s", strings.Join(words, " or "), l.show(path, value))
	}
}

var (
	scopeName    = regexp.MustCompile(`^[a-z0-9_]{1,80}$`)
	webhookScope = regexp.MustCompile(`^[A-Za-z0-9_*/-]{1,120}$`)
	callbackPath = regexp.MustCompile(`^/([A-Za-z0-9._~!$&'()*+,;=:@-]+(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?)?$`)
)

func (l *loader) checkApp() {
	a := &l.c.App
	l.credential("app.client_id", a.ClientID)
	l.credential("app.client_secret", a.ClientSecret.Reveal())
	l.checkCallbacks()
	l.oneOf("app.exchange", a.Exchange, "auto", "app")
	l.localApp("app.forward_to", "app.forward_to", &a.ForwardTo)
	for i, scope := range a.Scopes {
		if path := fmt.Sprintf("app.scopes[%d]", i); !scopeName.MatchString(scope) {
			l.bad("bad_value", path, "use the names of the auth callback, e.g. store_v2_products", "%s is not the name of an OAuth scope", l.show(path, scope))
		}
	}
	for i := range a.Hooks {
		path := fmt.Sprintf("app.hooks[%d]", i)
		l.webhookScope(path+".scope", a.Hooks[i].Scope)
		l.hookDestination(path+".destination", a.Hooks[i].Destination)
	}
	for i := range a.Routes {
		path := fmt.Sprintf("app.routes[%d]", i)
		l.webhookScope(path+".scope", a.Routes[i].Scope)
		if a.Routes[i].To == "" {
			l.bad("missing", path+".to", "give it the URL of the local app", "has no URL")
		}
		l.localApp(path+".to", "app.routes", &a.Routes[i].To)
	}
}

func (l *loader) webhookScope(path, scope string) {
	if !webhookScope.MatchString(scope) {
		l.bad("bad_value", path, "e.g. store/order/created or store/order/*", "%s is not a webhook scope", l.show(path, scope))
	}
}

// checkCallbacks: the public door tells callbacks apart by their path alone.
func (l *loader) checkCallbacks() {
	a := l.c.App
	taken := map[string]string{}
	for _, p := range []struct{ key, path string }{
		{"app.callbacks.auth", a.Callbacks.Auth},
		{"app.callbacks.load", a.Callbacks.Load},
		{"app.callbacks.uninstall", a.Callbacks.Uninstall},
		{"app.callbacks.remove_user", a.Callbacks.RemoveUser},
		{"app.webhooks", a.Webhooks},
	} {
		switch other := taken[p.path]; {
		case !callbackPath.MatchString(p.path) || dotted(p.path):
			l.bad("bad_path", p.key, "e.g. /auth", "%s is not a path that begins with / and has no query", l.show(p.key, p.path))
		case other != "":
			l.bad("same_path", p.key, "give each callback a path of its own", "is the same path as %s", other)
		default:
			taken[p.path] = p.key
		}
	}
}

func dotted(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

func (l *loader) checkCapture() {
	c := l.c.Capture
	for _, limit := range []struct {
		key   string
		value int64
	}{
		{"capture.body_limit", c.BodyLimit},
		{"capture.keep_exchanges", int64(c.KeepExchanges)},
		{"capture.keep_days", int64(c.KeepDays)},
		{"capture.keep_bytes", c.KeepBytes},
	} {
		if limit.value < 1 {
			l.bad("bad_value", limit.key, "write a larger number, or leave it out", "must be at least 1")
		}
	}
	if c.BodyLimit > 1<<30 {
		l.bad("bad_value", "capture.body_limit", "write a smaller size, e.g. 1MiB", "must be at most 1GiB: bodies are kept in memory until they are written")
	}
	if c.KeepDays > 36_500 {
		l.bad("bad_value", "capture.keep_days", "write a smaller number", "must be at most 36500")
	}
}

func (l *loader) checkHooks() {
	h := l.c.Hooks
	l.oneOf("hooks.on_start", h.OnStart, "warn", "sync")
	l.oneOf("hooks.on_exit", h.OnExit, "keep", "disable", "delete")
	// A stranger's file may not point the store's webhooks at an address of its own unasked.
	if h.OnStart == "sync" && l.byFile("hooks.on_start") && l.byFile("tunnel.public_url") && l.c.Tunnel.Provider == "none" &&
		!l.trusted && !loopbackURL(l.c.Tunnel.PublicURL) {
		l.bad("untrusted_file", "hooks.on_start", "name the file yourself: --config "+l.shown(),
			"a file that was merely found here may not send the store's webhooks to a public URL of its own")
	}
}

var (
	storeHash  = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	storeAlias = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

func (l *loader) checkStores() {
	hashes, names := map[string]bool{}, map[string]bool{}
	for i, s := range l.c.Stores {
		path := fmt.Sprintf("stores[%d]", i)
		switch {
		case !storeHash.MatchString(s.Hash):
			l.bad("bad_store_hash", path+".hash", "take it from the API path: https://api.bigcommerce.com/stores/{hash}/v3/",
				"%s is not a store hash: 1 to 32 lower-case letters and digits", l.show(path+".hash", s.Hash))
		case hashes[s.Hash]:
			l.bad("duplicate_store", path+".hash", "keep one of the two", "this store is given twice")
		}
		hashes[s.Hash] = true
		if s.Token == "" {
			l.bad("missing", path+".token", "create a store-level API account and put its access token here", "has no token")
		}
		l.credential(path+".token", s.Token.Reveal())
	}
	for i, s := range l.c.Stores {
		path := fmt.Sprintf("stores[%d].alias", i)
		switch {
		case s.Alias == "":
		case !storeAlias.MatchString(s.Alias):
			l.bad("bad_alias", path, "e.g. dev", "%s is not an alias: up to 64 letters, digits, - and _", l.show(path, s.Alias))
		case names[s.Alias] || hashes[s.Alias] && s.Alias != s.Hash:
			l.bad("duplicate_alias", path, "give it another one", "this alias is another store's name")
		}
		names[s.Alias] = true
	}
	if s := l.c.Proxy.Store; s != "" && !storeHash.MatchString(s) && !storeAlias.MatchString(s) {
		l.bad("bad_store_hash", "proxy.store", "give a store's hash or alias", "%s is neither a store hash nor an alias", l.show("proxy.store", s))
	}
}
