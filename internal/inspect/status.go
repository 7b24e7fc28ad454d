package inspect

import (
	"net/http"
	"time"
)

// Status is how bcdev is doing: what GET /api/status answers and the head of every page shows.
type Status struct {
	Version   string            `json:"version"`
	Started   time.Time         `json:"started,omitzero"`
	Now       time.Time         `json:"now"`
	Link      Link              `json:"link"`
	PublicURL string            `json:"public_url"`
	ProxyURL  string            `json:"proxy_url"`
	Forward   string            `json:"forward_url"`
	App       string            `json:"app"` // where callbacks are forwarded to; "" when bcdev answers by itself
	Callbacks map[string]string `json:"callbacks"`
	Stores    []Store           `json:"stores"`
	Waiting   Waiting           `json:"waiting"`
	ReadOnly  bool              `json:"read_only"`
}

// Link is the tunnel's state.
type Link struct {
	Provider string    `json:"provider"`
	State    string    `json:"state"` // connecting, up, down, closed
	Since    time.Time `json:"since,omitzero"`
	LastBeat time.Time `json:"last_beat,omitzero"`
	BeatAge  int64     `json:"beat_age_ms"` // -1 while nothing is known
}

// Store is one that bcdev holds a token for.
type Store struct {
	Store    string `json:"store"`
	Alias    string `json:"alias,omitempty"`
	Current  bool   `json:"current,omitempty"`
	ReadOnly bool   `json:"read_only,omitempty"`
	Quota    *Quota `json:"quota,omitempty"`
	Chosen   bool   `json:"-"` // in a list to choose from
}

// Name is the alias, else the hash.
func (s Store) Name() string {
	if s.Alias != "" {
		return s.Alias
	}
	return s.Store
}

// Quota is a store's rate limit as its last answer told it.
type Quota struct {
	Limit  int       `json:"limit"`
	Left   int       `json:"left"`
	Window int64     `json:"window_ms"`
	Reset  int64     `json:"reset_ms"` // from At
	At     time.Time `json:"at"`
}

// Low reports that less than a fifth of the window is left.
func (q Quota) Low() bool { return q.Limit > 0 && q.Left*5 < q.Limit }

// Waiting is the queue for the local app.
type Waiting struct {
	Count  int       `json:"count"`
	Oldest time.Time `json:"oldest,omitzero"`
}

// status is the state now, with what is missing filled in.
func (w *window) status() Status {
	s := w.o.Status()
	s.Now = w.o.Now()
	s.Link.BeatAge = -1
	if !s.Link.LastBeat.IsZero() {
		s.Link.BeatAge = max(0, s.Now.Sub(s.Link.LastBeat).Milliseconds())
	}
	if s.Stores == nil {
		s.Stores = []Store{}
	}
	if s.Callbacks == nil {
		s.Callbacks = map[string]string{}
	}
	return s
}

func (w *window) serveStatus(rw http.ResponseWriter, _ *http.Request) {
	writeJSON(rw, http.StatusOK, w.status())
}

// Fifth is where the meter turns.
func (q Quota) Fifth() int { return q.Limit / 5 }
