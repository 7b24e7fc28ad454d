package capture

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Options of a journal. The zero value keeps everything in memory with the default limits.
type Options struct {
	BodyLimit     int64         // bytes kept of each body; 0 means 1 MiB
	KeepExchanges int           // 0 means 10,000
	KeepFor       time.Duration // 0 means 30 days
	KeepBytes     int64         // 0 means 1 GiB
	ReadOnly      bool          // another process writes; nothing is migrated or pruned

	// Seal and Unseal protect what must be replayable but may not be read from the file (codes,
	// signed payloads). Without Seal such values are masked for good.
	Seal, Unseal func([]byte) ([]byte, error)
	// Known returns secrets whose value must never be stored, wherever it turns up.
	Known func() []string
	// Notice hears, once each, what a person should know ("recording is off: disk full").
	Notice func(error)
	Logger *slog.Logger
}

// Errors of this package.
var (
	ErrNotFound  = errors.New("no such exchange")
	ErrTruncated = errors.New("the body was not kept whole")
)

// Journal is one SQLite file (WAL). Several processes may open it at once.
type Journal struct{ _ int }

// Open opens or creates the journal at path (0600, in a folder made 0700); "" keeps it in memory.
func Open(path string, o Options) (*Journal, error) { panic("todo") }

// Close writes what is waiting and closes the file.
func (j *Journal) Close() error { panic("todo") }

// Handler records what next answers. Nothing is stored unless next commits the exchange with
// [Note.Commit]; the response is added behind it.
func (j *Journal) Handler(d Door, next http.Handler) http.Handler { panic("todo") }

// RoundTripper records what next is asked, written in batches behind the response. It never
// delays a stream and never changes a byte. The header Bcdev-Hint of a response becomes the hint.
func (j *Journal) RoundTripper(d Door, next http.RoundTripper) http.RoundTripper { panic("todo") }

// Add stores e at once and durably, and returns its ID.
func (j *Journal) Add(ctx context.Context, e Exchange) (int64, error) { panic("todo") }

// Amend changes facts of a stored exchange: everything but the messages.
func (j *Journal) Amend(ctx context.Context, id int64, change func(*Exchange)) error { panic("todo") }

// Flush waits until everything recorded so far is in the file.
func (j *Journal) Flush(ctx context.Context) error { panic("todo") }

// Query selects exchanges. Zero fields do not filter.
type Query struct {
	Door   Door
	Kinds  []Kind
	Topic  string // exact, or with * for one or more segments
	Store  string
	Status string // "404", "4xx", "<400", ">=500", "0" (no answer)
	Method string
	Path   string // prefix of the path, or a substring when it does not start with /
	Text   string // substring of target, topic, hint or error
	Since  time.Time
	Until  time.Time
	Of     int64
	Before int64 // only IDs below
	After  int64 // only IDs above
	Limit  int   // 0 means 50; at most 1,000
	Bodies bool  // load the bodies too
}

// Find returns exchanges newest first.
func (j *Journal) Find(ctx context.Context, q Query) ([]Exchange, error) { panic("todo") }

// Get returns one exchange, bodies included, by reference: "17", "latest", "latest auth",
// "latest store/order/created". "latest" passes over deliveries to the local app.
// Its error is ErrNotFound when there is none.
func (j *Journal) Get(ctx context.Context, ref string) (Exchange, error) { panic("todo") }

// Reveal is Get with the sealed parts of Target brought back.
func (j *Journal) Reveal(ctx context.Context, ref string) (Exchange, error) { panic("todo") }

// Watch sends each exchange, without bodies, when it is stored and when it changes, also when
// another process wrote it. A slow watcher misses some, and asks Find again.
func (j *Journal) Watch(ctx context.Context) <-chan Exchange { panic("todo") }

// Usage is what the journal holds.
type Usage struct {
	Exchanges int64
	Bytes     int64
	Oldest    time.Time
	Dropped   int64 // bodies not kept since Open
	Failed    int64 // exchanges not kept since Open
}

// Usage counts.
func (j *Journal) Usage(ctx context.Context) (Usage, error) { panic("todo") }

// Prune removes what is over the limits, or everything q selects when q is not nil.
func (j *Journal) Prune(ctx context.Context, q *Query) (removed int64, err error) { panic("todo") }
