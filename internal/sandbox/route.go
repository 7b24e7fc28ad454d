package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one API request that has passed token, quota and scope. The shop's lock is held
// while its route runs.
type call struct {
	sandbox *Sandbox
	shop    *shop
	request *http.Request
	query   url.Values
	body    []byte
	client  string  // whose token it is
	ids     []int64 // what stands for {} in the route
	now     time.Time
	events  []event // fired when the route has answered
}

// fire notes an event for the webhooks.
func (c *call) fire(scope string, data any) {
	c.events = append(c.events, event{store: c.shop.hash, scope: scope, data: data})
}

// route is one API operation. {} in its pattern is a number.
type route struct {
	method, pattern string
	serve           func(*call) reply
}

func apiRoutes() []route {
	return slices.Concat(catalogueRoutes(), storeRoutes(), orderRoutes(), customerRoutes(),
		hookRoutes(), storefrontRoutes())
}

// findRoute looks a path up. With no route for the method, allowed names the methods there are.
func findRoute(routes []route, method, path string) (found route, ids []int64, allowed []string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	parts := strings.Split(path, "/")
	for _, r := range routes {
		at, ok := matchPath(r.pattern, parts)
		switch {
		case ok && r.method == method:
			return r, at, nil
		case ok && !slices.Contains(allowed, r.method):
			allowed = append(allowed, r.method)
		}
	}
	return route{}, nil, allowed
}

func matchPath(pattern string, parts []string) (ids []int64, ok bool) {
	want := strings.Split(pattern, "/")
	if len(want) != len(parts) {
		return nil, false
	}
	for i, part := range parts {
		if want[i] != "{}" {
			if want[i] != part {
				return nil, false
			}
			continue
		}
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 {
			return nil, false
		}
		ids = append(ids, n)
	}
	return ids, true
}
