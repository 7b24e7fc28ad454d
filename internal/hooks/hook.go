// Package hooks keeps a store's webhook registrations: it reads and changes them through
// BigCommerce's API, and plans what makes them equal to what an app wants.
package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of the platform (BigCommerce docs, Webhooks overview).
const (
	PerScope   = 10                  // registrations of one store, client and scope
	FirstEvent = time.Minute         // until a new registration fires, at most
	Idle       = 90 * 24 * time.Hour // without activity a registration is switched off
)

// Hook is one webhook registration.
type Hook struct {
	ID          int64
	ClientID    string
	Scope       string // an event or a family, store/order/*
	Destination string // https URL
	Headers     map[string]string
	Active      bool
	Created     time.Time
	Updated     time.Time
	// Status is the platform's word on it: "active", "inactive" (switched off by a call),
	// "deactivated" (by the platform), or "" when it was not asked.
	Status string
}

// Host is the host of the destination, with its port if it names one.
func (h Hook) Host() string {
	u, err := url.Parse(h.Destination)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// Path is what comes after the host: path and query.
func (h Hook) Path() string {
	u, err := url.Parse(h.Destination)
	if err != nil {
		return ""
	}
	if u.Path == "" && u.RawQuery == "" {
		return "/"
	}
	return u.RequestURI()
}

// UnmarshalJSON reads what the API writes. Headers may be null or, when there are none, a list.
func (h *Hook) UnmarshalJSON(b []byte) error {
	var in struct {
		ID          int64           `json:"id"`
		ClientID    string          `json:"client_id"`
		Scope       string          `json:"scope"`
		Destination string          `json:"destination"`
		Headers     json.RawMessage `json:"headers"`
		Active      bool            `json:"is_active"`
		Created     unixTime        `json:"created_at"`
		Updated     unixTime        `json:"updated_at"`
		Status      string          `json:"status"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*h = Hook{
		ID: in.ID, ClientID: in.ClientID, Scope: in.Scope, Destination: in.Destination, Active: in.Active,
		Created: time.Time(in.Created), Updated: time.Time(in.Updated), Status: in.Status,
	}
	if json.Unmarshal(in.Headers, &h.Headers) != nil {
		h.Headers = nil
	}
	return nil
}

// unixTime is seconds since 1970, as a number or as text.
type unixTime time.Time

// UnmarshalJSON implements json.Unmarshaler. What is no time is none.
func (t *unixTime) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	if err == nil && seconds > 0 {
		*t = unixTime(time.Unix(seconds, 0))
	}
	return nil
}

// Blocked is a domain that BigCommerce does not deliver to for a while.
type Blocked struct {
	Domain string
	Left   time.Duration // until it is tried again
	Why    []string
}

// UnmarshalJSON reads an entry of blocked_domains.
func (b *Blocked) UnmarshalJSON(text []byte) error {
	var in struct {
		Destination string  `json:"destination"`
		Left        float64 `json:"time_left"` // seconds
		Reasons     []struct {
			Failure string `json:"failure_description"`
			Count   int    `json:"count"`
		} `json:"reasons"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*b = Blocked{Domain: in.Destination, Left: time.Duration(in.Left * float64(time.Second))}
	for _, r := range in.Reasons {
		b.Why = append(b.Why, fmt.Sprintf("%s (%d times)", r.Failure, r.Count))
	}
	return nil
}

// CheckBase says why BigCommerce would not deliver to a public URL: it demands https on port 443.
// Names under localhost are a sandbox's and may have any port.
func CheckBase(base string) error {
	u, err := url.Parse(base)
	host := ""
	if err == nil {
		host = strings.ToLower(u.Hostname())
	}
	near := host == "localhost" || strings.HasSuffix(host, ".localhost")
	switch {
	case host == "":
		return &BaseError{base, "it is no URL"}
	case u.Scheme != "https":
		return &BaseError{base, "BigCommerce delivers webhooks to https addresses only"}
	case u.Port() != "" && u.Port() != "443" && !near:
		return &BaseError{base, "BigCommerce delivers webhooks to port 443 only"}
	}
	return nil
}

// BaseError is a public URL that no webhook can be registered for.
type BaseError struct{ URL, Problem string }

func (e *BaseError) Error() string {
	return fmt.Sprintf("registering webhooks for %q: %s", e.URL, e.Problem)
}

// Hint says what to do next.
func (e *BaseError) Hint() string {
	return "use an ngrok tunnel, or set tunnel.public_url to the https address that the world sees"
}

var errNoHook = errors.New("the answer holds no registration")
