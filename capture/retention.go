package capture

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	slice     = 256 // exchanges removed in one transaction
	freePages = 256 // given back to the file system at once
)

// Usage is what the journal holds.
type Usage struct {
	Exchanges int64
	Bytes     int64
	Oldest    time.Time
	Dropped   int64 // bodies not kept since Open
	Failed    int64 // exchanges not kept since Open
}

// Usage counts.
func (j *Journal) Usage(ctx context.Context) (u Usage, err error) {
	var oldest int64
	err = j.readers.QueryRowContext(ctx, `SELECT exchanges, bytes,
		coalesce((SELECT at FROM exchange ORDER BY id LIMIT 1), 0) FROM stat`).Scan(&u.Exchanges, &u.Bytes, &oldest)
	if err != nil {
		return u, fmt.Errorf("counting the journal: %w", err)
	}
	if u.Exchanges > 0 {
		u.Oldest = time.Unix(0, oldest).UTC()
	}
	if j.w != nil {
		u.Dropped, u.Failed = j.w.dropped.Load(), j.w.failed.Load()
	}
	return u, nil
}

// Prune removes what is over the limits, or everything q selects when q is not nil, whatever its
// Limit. The limits spare what still waits for its delivery; q does not.
func (j *Journal) Prune(ctx context.Context, q *Query) (removed int64, err error) {
	for {
		n, err := j.pruneSlice(ctx, q)
		removed += n
		if err != nil || n == 0 {
			return removed, err
		}
	}
}

func (j *Journal) pruneSlice(ctx context.Context, q *Query) (n int64, err error) {
	var ids []int64
	if q != nil {
		some := *q
		some.Limit = slice
		if ids, err = j.find(ctx, some); err != nil || len(ids) == 0 {
			return 0, err
		}
	}
	err = j.do(ctx, op{run: func(t *txn) (err error) {
		if q == nil {
			n, err = t.removeOld(j.o)
			return err
		}
		n, err = t.remove(ids)
		return err
	}})
	return n, err
}

// tidyUp removes a slice of what is over the limits, and returns its place to the file system
// when there is nothing else to do.
func (w *writer) tidyUp() {
	t := w.t
	if !t.over(w.j.o) {
		return
	}
	err := t.do([]op{{run: func(t *txn) error {
		_, err := t.removeOld(w.j.o)
		return err
	}}})
	if err != nil {
		w.log(slog.LevelWarn, "removing old exchanges failed", err)
		t.expire = false
		return
	}
	if t.over(w.j.o) {
		signal(w.j.queue.wake)
	}
}

// over tells whether there is something to remove. When all that is left waits for its delivery,
// it is not looked at again before much has come.
func (t *txn) over(o Options) bool {
	if t.expire {
		return true
	}
	return t.exchanges >= t.patience && (t.exchanges > int64(o.KeepExchanges) || t.total > o.KeepBytes)
}

// shrink gives free pages back to the file system, as long as nobody waits.
func (w *writer) shrink() {
	for w.j.queue.idle() {
		free, err := w.t.link.number("PRAGMA freelist_count")
		if err != nil || free < freePages {
			return
		}
		pages, err := w.t.link.number("PRAGMA page_count")
		if err != nil || free < pages/4 {
			return
		}
		if err := w.t.link.script(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", freePages)); err != nil {
			w.log(slog.LevelWarn, "giving free space back failed", err)
			return
		}
	}
}

// removeOld removes at most a slice of the oldest exchanges that are over a limit.
func (t *txn) removeOld(o Options) (n int64, err error) {
	count, bytes, err := t.totals()
	if err != nil {
		return 0, err
	}
	var ids []int64
	limit := time.Now().Add(-o.KeepFor).UnixNano()
	full := errors.New("enough")
	err = t.link.query(func(row []driver.Value) error {
		if count <= int64(o.KeepExchanges) && bytes <= o.KeepBytes && asInt(row[1]) >= limit {
			return full
		}
		ids = append(ids, asInt(row[0]))
		count--
		bytes -= asInt(row[2])
		return nil
	}, `SELECT id, at, kept FROM exchange e WHERE NOT EXISTS (SELECT 1 FROM job WHERE exchange = e.id)
		ORDER BY id LIMIT ?`, int64(slice))
	if err != nil && !errors.Is(err, full) {
		return 0, err
	}
	t.expire = t.expire && len(ids) == slice
	t.patience = 0
	if len(ids) == 0 && (count > int64(o.KeepExchanges) || bytes > o.KeepBytes) {
		t.patience = count + slice // all that is left waits for its delivery
	}
	return t.remove(ids)
}

func (t *txn) totals() (count, bytes int64, err error) {
	err = t.link.query(func(row []driver.Value) error {
		count, bytes = asInt(row[0]), asInt(row[1])
		return nil
	}, "SELECT exchanges, bytes FROM stat")
	return count + t.exchange, bytes + t.bytes, err
}

// remove deletes exchanges with their messages, jobs and orphaned dictionary entries.
func (t *txn) remove(ids []int64) (n int64, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	list := jsonList(ids)
	err = t.link.query(func(row []driver.Value) error {
		t.exchange -= asInt(row[0])
		t.bytes -= asInt(row[1])
		n = asInt(row[0])
		return nil
	}, "SELECT count(*), coalesce(sum(kept), 0) FROM exchange WHERE id IN (SELECT value FROM json_each(?))", list)
	if err != nil {
		return 0, err
	}
	targets, err := t.texts("SELECT DISTINCT target FROM exchange WHERE id IN (SELECT value FROM json_each(?))", list)
	if err != nil {
		return 0, err
	}
	words, err := t.texts(`SELECT DISTINCT w.id FROM exchange e JOIN word w ON w.id IN (e.topic, e.hint, e.err)
		WHERE e.id IN (SELECT value FROM json_each(?))`, list)
	if err != nil {
		return 0, err
	}
	for _, sql := range []string{
		"DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))",
		"DELETE FROM job WHERE exchange IN (SELECT value FROM json_each(?))",
		"DELETE FROM exchange WHERE id IN (SELECT value FROM json_each(?))",
	} {
		if _, err := t.link.exec(sql, list); err != nil {
			return 0, err
		}
	}
	t.forget()
	if _, err := t.link.exec(`DELETE FROM target WHERE id IN (SELECT value FROM json_each(?))
		AND NOT EXISTS (SELECT 1 FROM exchange WHERE target = target.id)`, targets); err != nil {
		return 0, err
	}
	_, err = t.link.exec(`DELETE FROM word WHERE id IN (SELECT value FROM json_each(?))
		AND NOT EXISTS (SELECT 1 FROM exchange WHERE topic = word.id)
		AND NOT EXISTS (SELECT 1 FROM exchange WHERE hint = word.id)
		AND NOT EXISTS (SELECT 1 FROM exchange WHERE err = word.id)`, words)
	return n, err
}

// texts reads dictionary IDs as a JSON list.
func (t *txn) texts(sql, list string) (string, error) {
	var ids []int64
	err := t.link.query(func(row []driver.Value) error {
		ids = append(ids, asInt(row[0]))
		return nil
	}, sql, list)
	if ids == nil {
		return "[]", err
	}
	return jsonList(ids), err
}
