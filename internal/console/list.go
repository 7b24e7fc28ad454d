package console

import (
	"time"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// List shows exchanges, one a line, in the order given.
func (c *Console) List(exchanges []capture.Exchange) {}

// StoreRow is one store and what opens it.
type StoreRow struct {
	Hash    string
	Alias   string
	Scopes  []string
	User    string    // e-mail or name of who installed the app
	At      time.Time // when the grant was given
	Where   string    // where the token is kept, in words
	Token   redact.Secret
	Current bool // what /v3/... means
}

// Stores shows the stores that have a grant.
func (c *Console) Stores(rows []StoreRow) {}

// Table shows rows under a head, columns aligned, the last one cut where the terminal ends.
func (c *Console) Table(head []string, rows [][]string) {}

// ShowOptions say how much of an exchange to show.
type ShowOptions struct {
	Raw     bool // the messages as they travelled, nothing decoded
	Headers bool // no bodies
}

// Show shows one exchange whole.
func (c *Console) Show(e capture.Exchange, o ShowOptions) {}
