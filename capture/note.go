package capture

import "context"

// Note is the exchange under way, open to the rooms between recorder and answer. A nil *Note
// takes every call and does nothing, so rooms need not ask whether they are recorded.
type Note struct{ _ int }

// NoteOf returns the note of the exchange that ctx belongs to, or nil.
func NoteOf(ctx context.Context) *Note { panic("todo") }

// Set changes facts of the exchange: kind, store, topic, hint, marks, detail.
func (n *Note) Set(change func(*Exchange)) { panic("todo") }

// Commit stores the request durably (fsync) and returns its ID; the response follows by itself.
// With a non-empty queue key a delivery [Job] is stored in the same transaction. The request's
// body must have been read to its end.
func (n *Note) Commit(ctx context.Context, queueKey string) (int64, error) { panic("todo") }

// ID is the exchange's ID once it is committed, else 0.
func (n *Note) ID() int64 { panic("todo") }

// Attempt stores a further exchange linked to this one (a retried API call).
func (n *Note) Attempt(e Exchange) { panic("todo") }
