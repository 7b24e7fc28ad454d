package tunnel

import (
	"cmp"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// The library's own values (golang.ngrok.com/ngrok/v2 v2.4.0, muxado v2.0.2).
const (
	defaultAddress   = "connect.ngrok-agent.com:443"
	defaultHeartbeat = 10 * time.Second
	defaultTolerance = 15 * time.Second
)

const (
	defaultConnectTimeout = 30 * time.Second
	diagnoseLimit         = 10 * time.Second
)

// plan is Options that have been checked, with every default in its place.
type plan struct {
	Options
	address, host string // where the edge is
	logger        *slog.Logger
}

func prepare(o Options) (*plan, error) {
	p, err := prepareAddress(o)
	if err != nil {
		return nil, err
	}
	if err := p.checkToken(); err != nil {
		return nil, err
	}
	if err := p.checkURL(); err != nil {
		return nil, err
	}
	return p, nil
}

func prepareAddress(o Options) (*plan, error) {
	o.Authtoken = strings.TrimSpace(o.Authtoken)
	o.ConnectTimeout = cmp.Or(max(o.ConnectTimeout, 0), defaultConnectTimeout)
	p := &plan{Options: o, address: cmp.Or(o.ConnectURL, defaultAddress)}
	host, port, err := net.SplitHostPort(p.address)
	if err != nil || host == "" || port == "" {
		return nil, &Error{
			Text: "the address of the edge is not host:port: " + clean(p.address),
			Next: "write tunnel.connect_url like connect.ngrok-agent.com:443, without https:// before it",
			Err:  err,
		}
	}
	p.host = host
	p.logger = slog.New(scrubber{next: loggerOf(o).Handler(), scrub: p.scrub})
	return p, nil
}

func loggerOf(o Options) *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// checkToken refuses here what ngrok would refuse for ever: its library retries a refusal until
// it is cancelled.
func (p *plan) checkToken() error {
	if p.Authtoken == "" {
		return &Error{Text: "ngrok needs an authtoken, and none was given", Next: tokenPage}
	}
	if strings.ContainsFunc(p.Authtoken, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return &Error{Text: "the authtoken has spaces or control characters inside", Next: tokenPage}
	}
	return nil
}

func (p *plan) checkURL() error {
	if p.URL == "" {
		return nil
	}
	if !strings.Contains(p.URL, "://") {
		p.URL = "https://" + p.URL
	}
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return &Error{
			Text: "not a public address: " + clean(p.URL),
			Next: "write tunnel.url like https://you.ngrok-free.app, with no path behind it",
			Err:  err,
		}
	}
	p.URL = "https://" + u.Host
	return nil
}

// silence is how long the link may be quiet before it no longer counts as up. A beat is due every
// interval; the library gives up an interval and the whole tolerance after the last one.
func (p *plan) silence() time.Duration {
	return cmp.Or(p.Heartbeat, defaultHeartbeat) + cmp.Or(p.HeartbeatTolerance, defaultTolerance)/2
}

var semver = regexp.MustCompile(`^v?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)$`)

// version is the program's version as ngrok wants it: semantic, or it refuses (ERR_NGROK_119).
func (p *plan) version() string {
	if m := semver.FindStringSubmatch(p.ClientVersion); m != nil {
		return m[1]
	}
	return "0.0.0"
}
