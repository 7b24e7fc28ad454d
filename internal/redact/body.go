package redact

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

var (
	tokenBody   = map[string]bool{"client_secret": true, "code": true, "access_token": true, "refresh_token": true, "token": true, "device_code": true}
	paymentBody = map[string]bool{"id": true}
	formPart    = regexp.MustCompile(`(?i)name="?(?:client_secret|code|access_token|refresh_token|token|device_code)"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]+)`)
)

// Body masks the secrets in a request or response body of the few paths whose bodies hold
// some: client_secret, code, access_token and token at /oauth2/token, /device/token and
// /v3/storefront/api-token*, and the payment access token at /v3/payments/access_tokens. JSON,
// forms and multipart are understood by their look, since a wrong Content-Type is a common
// mistake, and a body may be cut off anywhere. Every other path keeps its body: a coupon has a
// code, too. A compressed body must be decoded first. The body given is not changed.
func Body(path, contentType string, body []byte) []byte {
	names := bodyNames(path)
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case names == nil || len(text) == 0:
		return body
	case text[0] == '{' || text[0] == '[' || text[0] == '"':
		return maskJSON(body, names)
	case strings.HasPrefix(strings.ToLower(contentType), "multipart/") || bytes.HasPrefix(text, []byte("--")):
		return []byte(maskGroup(formPart, string(body)))
	case text[0] == '<':
		return body
	}
	masked, _ := maskPairs(string(body), func(name string) bool { return names[name] })
	return []byte(masked)
}

func bodyNames(path string) map[string]bool {
	path, _, _ = strings.Cut(path, "?")
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	path = strings.ToLower(path)
	path = strings.TrimRight(path, "/")
	switch {
	case strings.HasSuffix(path, "/oauth2/token"), strings.HasSuffix(path, "/device/token"),
		strings.Contains(path, "/storefront/api-token"):
		return tokenBody
	case strings.HasSuffix(path, "/v3/payments/access_tokens"):
		return paymentBody
	}
	return nil
}

// maskJSON masks the string values of names, however deep, and every string, names included,
// inside an object or array that stands in such a place. It reads tokens, not documents, so that a body which is cut
// off or broken is masked as far as it goes.
func maskJSON(b []byte, names map[string]bool) []byte {
	var out bytes.Buffer
	inside := 0      // depth inside a secret object or array
	pending := false // the next value belongs to a secret name
	for i := 0; i < len(b); {
		c := b[i]
		if c != '"' {
			opens := c == '{' || c == '['
			switch {
			case opens && (pending || inside > 0):
				inside++
			case (c == '}' || c == ']') && inside > 0:
				inside--
			}
			if opens || c == ',' || c == '}' || c == ']' {
				pending = false
			}
			out.WriteByte(c)
			i++
			continue
		}
		end := stringEnd(b, i)
		isName := followedByColon(b, end)
		switch {
		case pending || inside > 0:
			writeMasked(&out, b[i:end])
		default:
			out.Write(b[i:end])
		}
		pending = !pending && isName && names[jsonName(b[i:end])]
		i = end
	}
	return out.Bytes()
}

// stringEnd returns where the string that starts at i ends, after its quote or at the end of b.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func followedByColon(b []byte, i int) bool {
	rest := bytes.TrimLeft(b[i:], " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

func jsonName(quoted []byte) string {
	var name string
	if json.Unmarshal(quoted, &name) != nil {
		name = strings.Trim(string(quoted), `"`)
	}
	return strings.ToLower(name)
}

func writeMasked(out *bytes.Buffer, quoted []byte) {
	if string(quoted) == `""` {
		out.WriteString(`""`)
		return
	}
	out.WriteString(`"` + Mask)
	if len(quoted) > 1 && quoted[len(quoted)-1] == '"' {
		out.WriteByte('"')
	}
}
