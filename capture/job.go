package capture

import (
	"context"
	"time"
)

// Job is a captured exchange that waits to be brought to the local app. Jobs of one key are
// done in the order of their IDs.
type Job struct {
	ID       int64
	Exchange int64
	Key      string // orders deliveries: one resource, one key
	Attempts int
	Since    time.Time
	Due      time.Time
	Last     string // why the last attempt failed
}

// Jobs returns at most limit jobs with an ID above after, oldest first, due or not.
func (j *Journal) Jobs(ctx context.Context, after int64, limit int) ([]Job, error) { panic("todo") }

// Waiting counts the jobs and tells the age of the oldest.
func (j *Journal) Waiting(ctx context.Context) (n int, oldest time.Time, err error) { panic("todo") }

// Postpone notes a failed attempt (stored as exchange e when it is not nil) and when to try again.
func (j *Journal) Postpone(ctx context.Context, job int64, due time.Time, why string, e *Exchange) (int64, error) {
	panic("todo")
}

// Done removes a job and stores the delivery in the same transaction.
func (j *Journal) Done(ctx context.Context, job int64, e *Exchange) (int64, error) { panic("todo") }
