package capture

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"modernc.org/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks our files in SQLite's header ("bcdj"), so that no stranger's database is
// migrated by mistake.
const applicationID = 0x6263646a

// pageSize is four times SQLite's own: a body then takes few pages, and each page costs two writes
// to the log and one to the file. An older journal keeps the size it has.
const pageSize = 16 << 10

// Primary result codes of SQLite (sqlite.org/rescode.html).
const (
	codePerm     = 3
	codeBusy     = 5
	codeReadOnly = 8
	codeIOErr    = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// OpenError says why a journal cannot be opened.
type OpenError struct {
	Path string
	Text string
	Next string
	Err  error
}

func (e *OpenError) Error() string { return fmt.Sprintf("opening the journal %s: %s", e.Path, e.Text) }

// Unwrap returns the cause.
func (e *OpenError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *OpenError) Hint() string { return e.Next }

// openFile makes sure that path is a file of ours alone before SQLite sees it. SQLite gives the
// files beside it (-wal, -shm) the same mode.
func openFile(path string, readOnly bool) error {
	if readOnly {
		return checkFile(path)
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fileError(path, err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return fileError(path, err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fileError(path, err)
	}
	defer f.Close()
	if err := checkOwner(path, f); err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fileError(path, err)
	}
	return nil
}

func checkFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fileError(path, err)
	}
	defer f.Close()
	return checkOwner(path, f)
}

func checkOwner(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fileError(path, err)
	}
	if !info.Mode().IsRegular() {
		return &OpenError{Path: path, Text: "it is not a file", Next: "give another path, or another --state-dir"}
	}
	if !ownedByUs(info) {
		return &OpenError{Path: path, Text: "it belongs to another user",
			Next: "run bcdev as the user who owns it, or give another --state-dir"}
	}
	return nil
}

func fileError(path string, err error) error {
	e := &OpenError{Path: path, Text: err.Error(), Err: err, Next: "give another place with --state-dir"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Text, e.Next = "there is none yet", "start bcdev up or bcdev demo first: they record"
	case errors.Is(err, fs.ErrPermission):
		e.Text, e.Next = "permission denied", "make the file yours and 0600, or give another --state-dir"
	}
	return e
}

// address is the data source name of a journal's connections.
func address(path string, write bool) string {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(5000)")
	if !write {
		q.Add("_pragma", "query_only(1)")
	}
	return "file:" + fileURI(path) + "?" + q.Encode()
}

// fileURI writes a path as SQLite's URI file names want it.
func fileURI(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	path = filepath.ToSlash(path)
	if path[0] != '/' {
		path = "/" + path // a Windows drive
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// memoryAddress names a database that lives as long as a connection to it.
func memoryAddress(name string, write bool) string {
	q := url.Values{"vfs": {"memdb"}}
	q.Add("_pragma", "busy_timeout(5000)")
	if !write {
		q.Add("_pragma", "query_only(1)")
	}
	return "file:/" + name + "?" + q.Encode()
}

// ready checks whose database it is and brings it to the newest schema.
func (l *link) ready(path string, readOnly bool) error {
	version, err := l.number("PRAGMA user_version")
	if err != nil {
		return sqliteError(path, err)
	}
	id, err := l.number("PRAGMA application_id")
	if err != nil {
		return sqliteError(path, err)
	}
	tables, err := l.number("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return sqliteError(path, err)
	}
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(steps)
	switch {
	case tables > 0 && id != applicationID:
		return &OpenError{Path: path, Text: "it is a database of another program", Next: "give another path, or another --state-dir"}
	case version > int64(len(steps)):
		return &OpenError{Path: path, Text: fmt.Sprintf("it was written by a newer bcdev (schema %d, this one knows %d)", version, len(steps)),
			Next: "update bcdev, or give another --state-dir"}
	case version == int64(len(steps)):
		return nil
	case readOnly:
		return &OpenError{Path: path, Text: "it has an older schema", Next: "start bcdev up once: it brings the journal up to date"}
	}
	if err := l.migrate(steps, version == 0); err != nil {
		return sqliteError(path, err)
	}
	return nil
}

// migrate runs the steps that are missing, each in a transaction of its own. Another process may
// be doing the same, so the version is read again under the lock.
func (l *link) migrate(steps []string, fresh bool) error {
	if fresh {
		if err := l.script(fmt.Sprintf("PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL", pageSize)); err != nil {
			return err
		}
	}
	for i, name := range steps {
		sql, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		if err := l.step(int64(i), string(sql)); err != nil {
			return fmt.Errorf("bringing the schema to version %d: %w", i+1, err)
		}
	}
	return nil
}

func (l *link) step(from int64, sql string) error {
	if err := l.script("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	version, err := l.number("PRAGMA user_version")
	if err == nil && version == from {
		err = l.script(fmt.Sprintf("%s; PRAGMA user_version=%d; PRAGMA application_id=%d", sql, from+1, applicationID))
	}
	if err != nil {
		return errors.Join(err, l.script("ROLLBACK"))
	}
	return l.script("COMMIT")
}

func sqliteError(path string, err error) error {
	e := &OpenError{Path: path, Text: err.Error(), Err: err, Next: "move it away, and bcdev starts a new one"}
	switch sqliteCode(err) {
	case codeNotADB:
		e.Text = "it is not a journal (not a SQLite database)"
	case codeCorrupt:
		e.Text = "it is damaged"
	case codeCantOpen, codePerm, codeReadOnly:
		e.Text, e.Next = "it cannot be opened for writing", "make the file and its folder yours, or give another --state-dir"
	case codeBusy:
		e.Text, e.Next = "another program holds it locked", "end that program, or give another --state-dir"
	case codeFull, codeIOErr:
		e.Next = "see whether the disk is full"
	}
	return e
}

// sqliteCode is the primary result code of a database error, else 0.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
