package capture

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// link is one connection to the database, for one goroutine. It speaks to the driver without
// database/sql, whose conversions would cost the writer more than the writing.
type link struct {
	raw   driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

func dial(dsn string) (*link, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &link{raw: raw, stmts: map[string]driver.Stmt{}}, nil
}

func (l *link) close() error {
	var errs []error
	for _, s := range l.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, l.raw.Close())...)
}

// script runs statements that are not worth keeping.
func (l *link) script(sql string) error {
	execer, ok := l.raw.(driver.ExecerContext)
	if !ok {
		return errors.New("the database driver runs no scripts")
	}
	_, err := execer.ExecContext(context.Background(), sql, nil)
	return err
}

// exec runs a prepared statement. Arguments are nil, int64, string or []byte.
func (l *link) exec(sql string, args ...driver.Value) (driver.Result, error) {
	s, err := l.prepare(sql)
	if err != nil {
		return nil, err
	}
	runner, ok := s.(driver.StmtExecContext)
	if !ok {
		return nil, fmt.Errorf("the database driver does not run %q", sql)
	}
	return runner.ExecContext(context.Background(), l.named(args))
}

// query calls each with every row. The row is good until each returns, its blobs included.
func (l *link) query(each func(row []driver.Value) error, sql string, args ...driver.Value) error {
	s, err := l.prepare(sql)
	if err != nil {
		return err
	}
	runner, ok := s.(driver.StmtQueryContext)
	if !ok {
		return fmt.Errorf("the database driver does not ask %q", sql)
	}
	rows, err := runner.QueryContext(context.Background(), l.named(args))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what went wrong, Next has told
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// number asks for one integer; 0 when there is no row.
func (l *link) number(sql string, args ...driver.Value) (n int64, err error) {
	err = l.query(func(row []driver.Value) error {
		n = asInt(row[0])
		return nil
	}, sql, args...)
	return n, err
}

func (l *link) prepare(sql string) (driver.Stmt, error) {
	if s, ok := l.stmts[sql]; ok {
		return s, nil
	}
	s, err := l.raw.Prepare(sql)
	if err != nil {
		return nil, err
	}
	l.stmts[sql] = s
	return s, nil
}

func (l *link) named(args []driver.Value) []driver.NamedValue {
	l.args = l.args[:0]
	for i, v := range args {
		l.args = append(l.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return l.args
}

func asInt(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func asString(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func asBytes(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}

// orNull stores an empty text as NULL, which partial indexes leave out.
func orNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

func bytesOrNull(b []byte) driver.Value {
	if len(b) == 0 {
		return nil
	}
	return b
}

func intOrNull(n int64) driver.Value {
	if n == 0 {
		return nil
	}
	return n
}
