package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/elazarl/goproxy"
)

// door says which side of the house a porch is on.
type door int

const (
	reverseDoor door = iota // http://127.0.0.1:7070
	apiTunnel               // inside CONNECT api.bigcommerce.com:443
	loginTunnel             // inside CONNECT login.bigcommerce.com:443
)

// methods that BigCommerce's APIs know.
const allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

func known(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// porch lets into the engine only what has a route, and sets the final URL before the engine sees
// the request.
type porch struct {
	p      *Proxy
	door   door
	engine *goproxy.ProxyHttpServer
}

func (d *porch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// net/http lets Transfer-Encoding win over a Content-Length beside it. What follows such
		// a body may be part of an attack (RFC 9112, section 6.3), so nothing follows.
		w.Header().Set("Connection", "close")
	}
	if no := d.admit(w, r); no != nil {
		d.p.turnAway(w, r, no)
	}
}

// turnAway answers what never reached the chain. The server reads the rest of a refused body before
// it answers, and must not wait for it for ever.
func (p *Proxy) turnAway(w http.ResponseWriter, r *http.Request, no *refusal) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(p.o.BodyTimeout)) // the server may have limits of its own
	}
	if p.o.Refused != nil {
		p.o.Refused(r, no.code, no.message, no.hint)
	}
	no.write(w)
}

func (d *porch) admit(w http.ResponseWriter, r *http.Request) *refusal {
	if no := d.checkForm(r); no != nil {
		return no
	}
	raw := rawPath(r)
	if why := checkPath(raw); why != "" {
		return badPath(why)
	}
	if raw == "/oauth2/token" && r.Method == http.MethodPost && d.door != apiTunnel {
		return d.token(w, r)
	}
	if raw == "/_bcdev/health" && d.door == reverseDoor {
		return d.health(w, r)
	}
	rt, no := parseRoute(raw)
	if no != nil {
		return no
	}
	if d.door == loginTunnel || d.door == apiTunnel && (!rt.named || rt.kind != kindAPI) {
		return unknownRoute(rt.rest)
	}
	hash, no := d.p.storeOf(rt)
	if no != nil {
		return no
	}
	return d.send(w, r, raw, rt, hash)
}

// checkForm refuses requests that are no calls of an API: other forms of the request target, other
// methods, other protocols.
func (d *porch) checkForm(r *http.Request) *refusal {
	switch {
	case r.Method == http.MethodConnect:
		return refuse(http.StatusMethodNotAllowed, "connect_not_here", "this is the reverse door, it opens no tunnels",
			"use http://"+hostOf(r)+"/v3/... as the base URL, or switch the forward door on (forward_proxy.listen)").closing()
	case d.door == reverseDoor && r.URL.IsAbs() && !d.ownAuthority(r):
		return refuse(http.StatusBadRequest, "absolute_form", "this door does not go to other hosts",
			"do not set it as an HTTP proxy: use it as the base URL, e.g. http://127.0.0.1:7070/v3/...")
	case !known(r.Method):
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "this method is not sent on", "use one of "+allow).with("Allow", allow)
	case wantsUpgrade(r):
		return refuse(http.StatusBadRequest, "upgrade_not_supported", "BigCommerce's APIs have no WebSockets or other upgrades",
			"send an ordinary request without Upgrade").closing()
	}
	return nil
}

// ownAuthority reports whether an absolute request target names this very listener.
func (d *porch) ownAuthority(r *http.Request) bool {
	host := strings.ToLower(r.URL.Host)
	if r.URL.Scheme != "http" {
		return false
	}
	for _, own := range d.p.o.AllowHosts {
		if strings.EqualFold(host, own) {
			return true
		}
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok { // a unix socket has no authority of its own
		return host == "localhost"
	}
	port := strconv.Itoa(local.Port)
	return host == strings.ToLower(local.String()) || local.IP.IsLoopback() && host == "localhost:"+port
}

// wantsUpgrade reports whether the client wants another protocol. HTTP/2 over clear text is only
// an offer, and it is passed over in silence, as RFC 9110, section 7.8, allows.
func wantsUpgrade(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field != "" && !strings.EqualFold(field, "h2c") {
				return true
			}
		}
	}
	return false
}

// hostOf is the listener's own address, for hints.
func hostOf(r *http.Request) string {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return local.String()
	}
	return "127.0.0.1:7070"
}

// storeOf finds the hash of the store that a route means.
func (p *Proxy) storeOf(rt route) (string, *refusal) {
	if !rt.named {
		hash, err := p.o.Current()
		if err != nil {
			return "", p.storeRefusal("", err)
		}
		return hash, nil
	}
	hash, ok := p.o.Resolve(rt.store)
	if !ok || !plainHash(hash) {
		return "", p.storeRefusal(rt.store, ErrUnknownStore)
	}
	return hash, nil
}

// storeRefusal is the answer to an error of Current or Authorize.
func (p *Proxy) storeRefusal(name string, err error) *refusal {
	known := "no store is known yet: install the app in a store first"
	if names := p.o.Known(); len(names) > 0 {
		known = "known: " + strings.Join(names, ", ")
	}
	switch {
	case errors.Is(err, ErrUnknownStore):
		return refuse(http.StatusNotFound, "unknown_store", fmt.Sprintf("the store %s is not known", name), known)
	case errors.Is(err, ErrWhichStore):
		return refuse(http.StatusConflict, "which_store", "several stores are known and none is chosen",
			"write /stores/{hash}/ in front of the path, or set proxy.store; "+known)
	case errors.Is(err, ErrNoGrant):
		return refuse(http.StatusUnauthorized, "no_grant", "there is no token for this store",
			"install the app in the store, or add the store with its token to the configuration")
	}
	return refuse(http.StatusUnauthorized, "no_grant", "there is no token for this store: "+printable(err.Error()),
		"see bcdev stores; install the app again when the grant cannot be read")
}

// send brings an API call into the engine.
func (d *porch) send(w http.ResponseWriter, r *http.Request, raw string, rt route, hash string) *refusal {
	c := d.newCall(w, r, rt.kind)
	defer c.finish()
	c.store, c.route = hash, rt
	if rt.kind == kindStorefront {
		if no := c.aimStorefront(r); no != nil {
			return no
		}
	} else {
		if !rt.named || rt.store != hash {
			raw = "/stores/" + hash + rt.rest
		}
		c.aim(d.p.o.API, raw, r.URL.RawQuery, r.URL.ForceQuery)
	}
	return d.run(c, c.request(c.storeHeader(r.Header)))
}

func (d *porch) newCall(w http.ResponseWriter, r *http.Request, k kind) *call {
	c := &call{Context: r.Context(), p: d.p, door: d.door, in: r, kind: k, through: d.p.chain}
	c.w.ResponseWriter = w
	return c
}

// run hands the request to the engine. When upstream died in the middle of its answer, the
// client's connection dies as well: half an answer must not look whole.
func (d *porch) run(c *call, out *http.Request) *refusal {
	if no := c.attach(c.w.ResponseWriter, out); no != nil {
		return no
	}
	d.engine.ServeHTTP(&c.w, out)
	if c.down.err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (d *porch) health(w http.ResponseWriter, r *http.Request) *refusal {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "the health page can only be read", "use GET").with("Allow", "GET, HEAD")
	}
	var state any = map[string]any{"status": "ok"}
	if d.p.o.Health != nil {
		state = d.p.o.Health()
	}
	body, err := json.Marshal(state)
	if err != nil {
		return refuse(http.StatusInternalServerError, "health_failed", "the health page could not be written", "see the log (-v)")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(append(body, '\n'))
	return nil
}

// aimStorefront sets the URL of a storefront call. The channel is chosen by ?channel_id= or the
// header Bcdev-Channel, and is 1 otherwise: the store's first channel.
func (c *call) aimStorefront(r *http.Request) *refusal {
	if c.p.o.Storefront == nil {
		return refuse(http.StatusNotFound, "unknown_route", "no storefront address is configured", "set bigcommerce.storefront_url")
	}
	channel, query := channelOf(r)
	if channel < 1 {
		return refuse(http.StatusBadRequest, "bad_channel", "the channel is not a number", "use ?channel_id=1, or the header Bcdev-Channel: 1")
	}
	base := c.p.o.Storefront(c.store, channel)
	if err := checkStorefront(base); err != nil {
		return refuse(http.StatusNotFound, "unknown_route", err.Error(), "mend bigcommerce.storefront_url")
	}
	c.channel = channel
	path := strings.Trim(base.EscapedPath(), "/")
	if path != "" {
		path = "/" + path
	}
	c.aim(base, path+"/graphql", query, false)
	return nil
}

func checkStorefront(u *url.URL) error {
	if u == nil {
		return errors.New("this store has no storefront address")
	}
	return checkOrigin("storefront", &url.URL{Scheme: u.Scheme, Host: u.Host, User: u.User})
}

// channelOf takes channel_id out of the query; the rest stays as it was written. 0 is an error.
func channelOf(r *http.Request) (channel int, query string) {
	value, rest := "1", make([]string, 0, 4)
	if h := r.Header.Get("Bcdev-Channel"); h != "" {
		value = h
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if v, ok := strings.CutPrefix(pair, "channel_id="); ok {
			value = v
		} else {
			rest = append(rest, pair)
		}
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 1<<31-1 {
		return 0, ""
	}
	return n, strings.Join(rest, "&")
}
