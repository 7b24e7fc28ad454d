package capture

import (
	"context"
	"net/http"
	"strings"

	"bcdev/internal/redact"
)

type targetKey struct{}

type target struct{ raw, remote string }

// WithTarget tells the recorder behind what the client itself asked for: its request target and
// its address (host:port). A proxy key in front (/k/<key>/...) is masked. Without it, the request
// as it goes out is journalled.
func WithTarget(ctx context.Context, rawTarget, remote string) context.Context {
	return context.WithValue(ctx, targetKey{}, &target{hideKey(rawTarget), remote})
}

func targetOf(req *http.Request) (raw, remote string) {
	if t, ok := req.Context().Value(targetKey{}).(*target); ok {
		return t.raw, t.remote
	}
	return req.URL.RequestURI(), ""
}

// hideKey masks the key of a path prefix /k/<key>.
func hideKey(raw string) string {
	rest, ok := strings.CutPrefix(raw, "/k/")
	if !ok {
		return raw
	}
	return "/k/" + redact.Mask + rest[keyLen(rest):]
}

func keyLen(rest string) int {
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return i
	}
	return len(rest)
}

// storeOf finds the store hash in /stores/{hash}/...
func storeOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/stores/")
	if !ok {
		return ""
	}
	hash, _, _ := strings.Cut(rest, "/")
	for _, c := range []byte(hash) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return hash
}
