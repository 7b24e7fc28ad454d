package capture

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
)

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

	captured bool // pass over deliveries to the local app, imports and attempts that were repeated
}

// Find returns exchanges newest first. A status that cannot be understood is a *[StatusError].
func (j *Journal) Find(ctx context.Context, q Query) ([]Exchange, error) {
	ids, err := j.find(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("searching the journal: %w", err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	found := make([]Exchange, 0, len(ids))
	err = j.rows(ctx, q.Bodies, func(e Exchange, _ []byte) { found = append(found, e) },
		"WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.id DESC", string(list))
	if err != nil {
		return nil, fmt.Errorf("searching the journal: %w", err)
	}
	return found, nil
}

// rows calls each with the exchanges that where selects.
func (j *Journal) rows(ctx context.Context, bodies bool, each func(Exchange, []byte), where string, args ...any) error {
	query := selectRows
	if bodies {
		query = selectBodies
	}
	rows, err := j.readers.QueryContext(ctx, query+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(columns))
	into := make([]any, len(columns))
	for i := range row {
		into[i] = (*any)(&row[i])
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		e, sealed, err := fromRow(row)
		if err != nil {
			return err
		}
		each(e, sealed)
	}
	return rows.Err()
}

// find returns the IDs q selects, newest first.
func (j *Journal) find(ctx context.Context, q Query) ([]int64, error) {
	tx, err := j.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	s, err := planSearch(ctx, tx, q)
	if err != nil || s == nil {
		return nil, err
	}
	query, args := s.sql()
	return integers(ctx, tx, query, args...)
}

// integers reads a column of them.
func integers(ctx context.Context, tx *sql.Tx, query string, args ...any) (list []int64, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}

func (q Query) limit() int {
	if q.Limit <= 0 {
		return defaultLimit
	}
	return min(q.Limit, maxLimit)
}

// StatusError is a status filter that cannot be understood.
type StatusError struct{ Status string }

func (e *StatusError) Error() string { return fmt.Sprintf("no status filter: %q", e.Status) }

// Hint says what to do next.
func (e *StatusError) Hint() string {
	return `say a status ("404"), a class ("4xx"), a comparison ("<400", ">=500"), or "0" for no answer`
}

// ParseStatus reads a status filter: "404", "4xx", "<400", ">=500", "0" (no answer). It returns
// the lowest and the highest status it lets through; a comparison never includes 0.
func ParseStatus(s string) (low, high int, err error) {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, op := range []string{"<=", ">=", "<", ">"} {
		rest, ok := strings.CutPrefix(s, op)
		if !ok {
			continue
		}
		n, ok := statusNumber(strings.TrimSpace(rest))
		if !ok {
			return 0, 0, &StatusError{s}
		}
		switch op {
		case "<=":
			return 1, n, nil
		case "<":
			return 1, n - 1, nil
		case ">=":
			return max(n, 1), 999, nil
		default:
			return n + 1, 999, nil
		}
	}
	if len(s) == 3 && s[1:] == "xx" && s[0] >= '1' && s[0] <= '9' {
		low = int(s[0]-'0') * 100
		return low, low + 99, nil
	}
	n, ok := statusNumber(s)
	if !ok {
		return 0, 0, &StatusError{s}
	}
	return n, n, nil
}

// statusNumber reads one to three digits.
func statusNumber(s string) (n int, ok bool) {
	if s == "" || len(s) > 3 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
