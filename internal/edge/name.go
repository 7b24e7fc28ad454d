package edge

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"regexp"
	"strings"
)

var labelPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func validName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if !labelPattern.MatchString(label) {
			return false
		}
	}
	return true
}

func below(host, domain string) bool { return strings.HasSuffix(host, "."+domain) }

// fullName completes a name that was given without the edge's domain.
func (e *Edge) fullName(name string) string {
	name = strings.ToLower(name)
	if below(name, e.options.Domain) {
		return name
	}
	return name + "." + e.options.Domain
}

func (e *Edge) serves(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == e.options.Domain || below(host, e.options.Domain)
}

var (
	adjectives = strings.Fields("amber brave calm clever eager fair gentle happy jolly keen lively merry noble quick sunny witty")
	animals    = strings.Fields("badger crane deer finch gecko heron ibis koala lynx marten otter puffin quail robin stoat wren")
)

// devName is the name that belongs to an authtoken: always the same, and it does not tell the
// token.
func devName(token string) string {
	sum := sha256.Sum256([]byte("dev domain of " + token))
	return adjectives[sum[0]%16] + "-" + animals[sum[1]%16] + "-" + hex.EncodeToString(sum[2:5])
}

func randomID(prefix string) string {
	b := make([]byte, 16)
	rand.Read(b) // never fails, see crypto/rand
	return prefix + hex.EncodeToString(b)
}

// wantedHost reads the host out of what an agent asks for. "" is left for the dev domain.
func wantedHost(raw string) (host string, random bool, refusal *Refusal) {
	if raw == "" {
		return "", false, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", false, refuse(326, "The URL '%.200s' is not valid.", raw)
	}
	if u.Host == "" {
		return "", true, nil // https:// is any name
	}
	host = strings.ToLower(u.Hostname())
	switch {
	case strings.HasPrefix(host, "*."):
		return "", false, refuse(315, "Your account can't bind wildcard domains.")
	case net.ParseIP(host) != nil, !validName(host):
		return "", false, refuse(326, "The domain '%.200s' is not a valid name.", host)
	}
	return host, false, nil
}
