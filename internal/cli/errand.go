package cli

import (
	"context"
	"net/http"

	"bcdev/capture"
)

// errand is a call to BigCommerce that bcdev makes by itself. It is recorded like any other, and
// marked.
type errand struct {
	via string // what for: "hooks", "expand"
	of  int64  // the exchange it belongs to, or 0
	id  int64  // its own ID, known once it is under way, if of is given
}

type errandKey struct{}

func onErrand(ctx context.Context, e *errand) context.Context {
	return context.WithValue(ctx, errandKey{}, e)
}

// errands marks recorded errands. It belongs right behind the recorder.
type errands struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t errands) RoundTrip(req *http.Request) (*http.Response, error) {
	if e, ok := req.Context().Value(errandKey{}).(*errand); ok {
		note := capture.NoteOf(req.Context())
		note.Set(func(x *capture.Exchange) { x.Via, x.Of = e.via, e.of })
		if e.of > 0 && req.Body == nil {
			id, err := note.Commit(req.Context(), "")
			if err != nil {
				return nil, err
			}
			e.id = id
		}
	}
	return t.next.RoundTrip(req)
}

// isErrand reports whether bcdev made the call by itself; whoever did tells of it.
func isErrand(e capture.Exchange) bool {
	return e.Door == capture.API && (e.Via == "hooks" || e.Via == "expand")
}
