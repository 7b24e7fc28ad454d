package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bcdev/internal/bigcommerce"
)

func hookRoutes() []route {
	return []route{
		{"GET", "/v3/hooks", (*call).listHooks},
		{"POST", "/v3/hooks", (*call).createHook},
		{"GET", "/v3/hooks/admin", (*call).getHookAdmin},
		{"PUT", "/v3/hooks/admin", (*call).setHookAdmin},
		{"GET", "/v3/hooks/{}", (*call).getHook},
		{"PUT", "/v3/hooks/{}", (*call).updateHook},
		{"DELETE", "/v3/hooks/{}", (*call).deleteHook},
	}
}

func (c *call) listHooks() reply {
	active, destination := c.query.Get("is_active"), c.query.Get("destination")
	found := []hook{}
	for _, h := range c.sandbox.hooks.list(c.shop.hash, c.client, c.now) {
		if (active == "" || active == strconv.FormatBool(h.IsActive)) &&
			(c.query.Get("scope") == "" || c.query.Get("scope") == h.Scope) &&
			(destination == "" || destination == h.Destination) {
			found = append(found, h)
		}
	}
	return listV3(found, c.query)
}

// hookInput is what a client may write of a hook.
type hookInput struct {
	Scope       *string            `json:"scope"`
	Destination *string            `json:"destination"`
	IsActive    *bool              `json:"is_active"`
	Headers     *map[string]string `json:"headers"`
}

func (c *call) readHook() (hookInput, *reply) {
	var in hookInput
	if err := json.Unmarshal(c.body, &in); err != nil {
		bad := c.badJSON(err)
		return in, &bad
	}
	return in, nil
}

func (in hookInput) apply(h *hook) {
	if in.Scope != nil {
		h.Scope = *in.Scope
	}
	if in.Destination != nil {
		h.Destination = *in.Destination
	}
	if in.IsActive != nil {
		h.IsActive = *in.IsActive
	}
	if in.Headers != nil {
		h.Headers = *in.Headers
	}
}

func (c *call) createHook() reply {
	in, bad := c.readHook()
	if bad != nil {
		return *bad
	}
	missing := map[string]string{}
	if in.Scope == nil {
		missing["scope"] = wordsMissing + "."
	}
	if in.Destination == nil {
		missing["destination"] = wordsMissing + "."
	}
	if len(missing) > 0 {
		return refuseFields(http.StatusUnprocessableEntity, wordsBadJSON, missing)
	}
	h := hook{ClientID: c.client, StoreHash: c.shop.hash, IsActive: true}
	in.apply(&h)
	if bad := c.checkHook(h); bad != nil {
		return *bad
	}
	made, why := c.sandbox.hooks.add(h, c.now)
	return hookAnswer(made, why)
}

// checkHook holds the rules that need no other hook.
func (c *call) checkHook(h hook) *reply {
	bad := func(field, why string) *reply {
		a := refuseFields(http.StatusBadRequest, wordsBadInput, map[string]string{field: why})
		return &a
	}
	if !knownScope(h.Scope) {
		return bad("scope", "The scope "+strconv.Quote(h.Scope)+" is not supported.")
	}
	if why := c.sandbox.badDestination(h.Destination); why != "" {
		return bad("destination", why)
	}
	if len(h.Headers) > 64 {
		return bad("headers", "There are more than 64 headers.")
	}
	for name, value := range h.Headers {
		if name == "" || len(name) > 64 || len(value) > 8192 || strings.ContainsAny(name+value, "\r\n\x00") || strings.ContainsAny(name, " :") {
			return bad("headers", "The header "+strconv.Quote(name)+" cannot be sent.")
		}
	}
	return nil
}

// knownScope takes documented events and families of them.
func knownScope(scope string) bool {
	if _, _, ok := bigcommerce.FindEvent(scope); ok {
		return true
	}
	family, ok := strings.CutSuffix(scope, "/*")
	if !ok || !strings.HasPrefix(family, "store/") {
		return false
	}
	for _, e := range bigcommerce.Events() {
		if strings.HasPrefix(e.Scope, family+"/") || inChannelFamily(e.Scope, family) {
			return true
		}
	}
	return false
}

// inChannelFamily compares store/channel/2/cart with store/channel/{channel_id}/cart/created.
func inChannelFamily(scope, family string) bool {
	want, have := strings.Split(family, "/"), strings.Split(scope, "/")
	if len(want) >= len(have) {
		return false
	}
	for i, part := range want {
		_, err := strconv.Atoi(part)
		if part != have[i] && (have[i] != "{channel_id}" || err != nil) {
			return false
		}
	}
	return true
}

// badDestination says why BigCommerce would not send there: it demands https on port 443. On
// *.localhost, where a sandbox's apps live, any port is taken unless StrictHookPort is set.
func (s *Sandbox) badDestination(destination string) string {
	u, err := url.Parse(destination)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || u.User != nil || len(destination) > 2048 {
		return "The destination is not a URL."
	}
	if u.Scheme != "https" {
		return "The destination must be an https URL."
	}
	near := isLoopbackHost(u.Host) || strings.HasSuffix(strings.ToLower(u.Hostname()), ".localhost")
	if port := u.Port(); port != "" && port != "443" && (s.options.StrictHookPort || !near) {
		return "The destination must use port 443."
	}
	return ""
}

func hookAnswer(h hook, why clash) reply {
	switch why {
	case clashDuplicate:
		return refuse(http.StatusConflict, "A webhook with this scope and destination already exists.")
	case clashLimit:
		return refuse(http.StatusForbidden, fmt.Sprintf("The limit of %d webhooks per scope is reached.", hooksPerScope))
	case clashException:
		return refuse(http.StatusConflict, "There can be one deliveryException webhook, to a destination of its own.")
	case clashGone:
		return refuse(http.StatusNotFound, fmt.Sprintf("Webhook with id [%d] not found", h.ID))
	}
	return data(h)
}

// hook returns the hook of the path, if the calling client may see it.
func (c *call) hook() (hook, bool) {
	h, ok := c.sandbox.hooks.get(c.ids[0])
	return h, ok && h.StoreHash == c.shop.hash && h.ClientID == c.client
}

func (c *call) getHook() reply {
	h, ok := c.hook()
	if !ok {
		return hookAnswer(hook{ID: c.ids[0]}, clashGone)
	}
	return data(h)
}

func (c *call) updateHook() reply {
	h, ok := c.hook()
	if !ok {
		return hookAnswer(hook{ID: c.ids[0]}, clashGone)
	}
	in, bad := c.readHook()
	if bad != nil {
		return *bad
	}
	if in == (hookInput{}) {
		return refuse(http.StatusUnprocessableEntity, wordsBadJSON)
	}
	in.apply(&h)
	if bad := c.checkHook(h); bad != nil {
		return *bad
	}
	return hookAnswer(c.sandbox.hooks.change(h, c.now))
}

func (c *call) deleteHook() reply {
	h, ok := c.hook()
	if !ok {
		return hookAnswer(hook{ID: c.ids[0]}, clashGone)
	}
	c.sandbox.hooks.remove(h.ID)
	return data(h)
}

// adminHook is a hook with the platform's view of it.
type adminHook struct {
	hook
	Status string `json:"status"`
}

func (c *call) getHookAdmin() reply {
	list := []adminHook{}
	active := c.query.Get("is_active")
	for _, h := range c.sandbox.hooks.list(c.shop.hash, c.client, c.now) {
		if active == "" || active == strconv.FormatBool(h.IsActive) {
			list = append(list, adminHook{h, h.status()})
		}
	}
	return data(struct {
		Emails  []string        `json:"emails"`
		Hooks   []adminHook     `json:"hooks_list"`
		Blocked []blockedDomain `json:"blocked_domains"`
	}{c.sandbox.hooks.emailsOf(c.shop.hash, c.client), list, c.sandbox.courier.blocked(c.now, list)})
}

func (c *call) setHookAdmin() reply {
	var in struct {
		Emails []string `json:"emails"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		return c.badJSON(err)
	}
	if len(in.Emails) > maxAdmin {
		return unprocessable("emails", "There are too many addresses.")
	}
	for _, address := range in.Emails {
		if !strings.Contains(address, "@") || len(address) > 254 {
			return unprocessable("emails", "One of the addresses is not valid.")
		}
	}
	c.sandbox.hooks.setEmails(c.shop.hash, c.client, in.Emails)
	return noContent()
}
