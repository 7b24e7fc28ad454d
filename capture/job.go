package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// ErrNoJob is told to who ends or postpones a job that is not there (any more).
var ErrNoJob = errors.New("no such job")

// Jobs returns at most limit jobs with an ID above after, oldest first, due or not.
func (j *Journal) Jobs(ctx context.Context, after int64, limit int) ([]Job, error) {
	rows, err := j.readers.QueryContext(ctx, `SELECT id, exchange, key, attempts, since, due, coalesce(last, '')
		FROM job WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the queue: %w", err)
	}
	defer rows.Close()
	var jobs []Job
	for rows.Next() {
		var job Job
		var since, due int64
		if err := rows.Scan(&job.ID, &job.Exchange, &job.Key, &job.Attempts, &since, &due, &job.Last); err != nil {
			return nil, fmt.Errorf("reading the queue: %w", err)
		}
		job.Since, job.Due = time.Unix(0, since).UTC(), time.Unix(0, due).UTC()
		jobs = append(jobs, job)
	}
	return jobs, rows.Err()
}

// Waiting counts the jobs and tells the age of the oldest.
func (j *Journal) Waiting(ctx context.Context) (n int, oldest time.Time, err error) {
	var since int64
	err = j.readers.QueryRowContext(ctx, "SELECT count(*), coalesce(min(since), 0) FROM job").Scan(&n, &since)
	if err != nil {
		return 0, oldest, fmt.Errorf("reading the queue: %w", err)
	}
	if n > 0 {
		oldest = time.Unix(0, since).UTC()
	}
	return n, oldest, nil
}

// Postpone notes a failed attempt (stored as exchange e when it is not nil) and when to try again.
// It returns the ID of e. Its error is [ErrNoJob] when the job is gone; e is not stored then.
func (j *Journal) Postpone(ctx context.Context, job int64, due time.Time, why string, e *Exchange) (int64, error) {
	return j.jobOp(ctx, e, func(t *txn) (bool, error) {
		r, err := t.link.exec("UPDATE job SET attempts = attempts + 1, due = ?, last = ? WHERE id = ?",
			due.UnixNano(), orNull(clip(t.masker.text(why))), job)
		return affected(r, err)
	})
}

// Done removes a job and stores the delivery in the same transaction. Its error is [ErrNoJob]
// when the job is gone; e is not stored then.
func (j *Journal) Done(ctx context.Context, job int64, e *Exchange) (int64, error) {
	return j.jobOp(ctx, e, func(t *txn) (bool, error) {
		r, err := t.link.exec("DELETE FROM job WHERE id = ?", job)
		return affected(r, err)
	})
}

func (j *Journal) jobOp(ctx context.Context, e *Exchange, change func(*txn) (bool, error)) (id int64, err error) {
	var in *entry
	if e != nil {
		own := *e
		own.Marks = slices.Clone(e.Marks)
		in = &entry{e: &own}
	}
	var stored int64
	err = j.do(ctx, op{durable: true, run: func(t *txn) error {
		there, err := change(t)
		if err != nil {
			return err
		}
		if !there {
			return refuse(ErrNoJob)
		}
		if in != nil {
			stored, err = t.add(in)
		}
		return err
	}})
	if err != nil {
		return 0, err
	}
	return stored, nil
}

func affected(r interface{ RowsAffected() (int64, error) }, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// addJob queues a delivery.
func (t *txn) addJob(exchange int64, key string) error {
	now := time.Now().UnixNano()
	_, err := t.link.exec("INSERT INTO job (exchange, key, attempts, since, due) VALUES (?, ?, 0, ?, ?)",
		exchange, key, now, now)
	return err
}
