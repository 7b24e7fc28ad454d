package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	visitLimit = 60 * time.Second // how long an app may take to answer a callback
	visitBody  = 256 << 10        // bytes of its answer that are kept
)

// Visit is what an app answered to a callback.
type Visit struct {
	URL       string      `json:"url"`
	Status    int         `json:"status"`
	Headers   http.Header `json:"headers"`
	Body      string      `json:"body"` // at most 256 KiB
	Truncated bool        `json:"truncated,omitempty"`
}

// plainClient is c without redirects and cookies; a nil c becomes one that dials *.localhost on
// loopback without DNS.
func plainClient(c *http.Client) *http.Client {
	plain := &http.Client{}
	if c != nil {
		plain.Transport = c.Transport
	} else {
		plain.Transport = &http.Transport{DialContext: dialLocalhost, ForceAttemptHTTP2: true}
	}
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return plain
}

func dialLocalhost(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && strings.HasSuffix(strings.ToLower(host), ".localhost") {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// visit GETs an app's callback, as the merchant's browser does or as BigCommerce's server does.
func (s *Sandbox) visit(ctx context.Context, callback string, query url.Values, browser bool) (Visit, error) {
	target, err := callbackURL(callback, query)
	if err != nil {
		return Visit{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, visitLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return Visit{}, fmt.Errorf("opening the callback: %w", err)
	}
	if browser {
		dressAsBrowser(req)
	} else {
		req.Header.Set("Accept", "application/json")
		req.Header.Set("User-Agent", "BigCommerce")
	}
	res, err := s.httpClient().Do(req)
	if err != nil {
		return Visit{}, fmt.Errorf("opening the callback %s: %w", callback, withoutURL(err))
	}
	defer func() { _ = res.Body.Close() }()
	return readVisit(target, res)
}

// withoutURL drops the URL from a client's error: it holds the code or a signed payload.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

func readVisit(target string, res *http.Response) (Visit, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, visitBody+1))
	if err != nil {
		return Visit{}, fmt.Errorf("reading the callback's answer: %w", err)
	}
	v := Visit{URL: target, Status: res.StatusCode, Headers: res.Header}
	if len(body) > visitBody {
		body, v.Truncated = body[:visitBody], true
	}
	v.Body = string(body)
	return v, nil
}

func dressAsBrowser(req *http.Request) {
	req.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Accept-Language", "en-US,en;q=0.9")
	req.Header.Set("Referer", "https://login.bigcommerce.com/")
	req.Header.Set("Sec-Fetch-Dest", "iframe")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.Header.Set("Upgrade-Insecure-Requests", "1")
	req.Header.Set("User-Agent",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36")
}

// callbackURL adds query to a registered URL, keeping the bytes it already has.
func callbackURL(callback string, query url.Values) (string, error) {
	u, err := url.Parse(callback)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("the callback URL %q is not an absolute http or https URL", callback)
	}
	if u.Fragment != "" || strings.Contains(callback, "#") {
		return "", fmt.Errorf("the callback URL %q has a fragment, which no browser sends", callback)
	}
	join := "?"
	if strings.Contains(callback, "?") {
		join = "&"
	}
	if u.Path == "" && join == "?" {
		callback += "/"
	}
	return callback + join + query.Encode(), nil
}
