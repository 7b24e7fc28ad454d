package capture

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite"
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
	ErrReadOnly  = errors.New("the journal is open for reading only")

	errDropped = errors.New("bodies are not kept for now: the disk is slower than the traffic")
)

const (
	defaultBodyLimit     = 1 << 20
	defaultKeepExchanges = 10_000
	defaultKeepFor       = 30 * 24 * time.Hour
	defaultKeepBytes     = 1 << 30

	memoryBudget = 16 << 20 // bodies in flight
	maxReaders   = 4
)

// Journal is one SQLite file (WAL). Several processes may open it at once.
type Journal struct {
	o        Options
	buffers  buffers
	queue    *queue
	w        *writer // nil when read-only
	readers  *sql.DB
	watchers *watchers

	noticeMu sync.Mutex
	noticed  [noticeKinds]bool
	closing  sync.Once
	closeErr error
}

// The things a person is told once.
const (
	noticeFailed = iota
	noticeDropped
	noticeKinds
)

// Open opens or creates the journal at path (0600, in a folder made 0700); "" keeps it in memory.
// Its errors are of type [OpenError], with a hint.
func Open(path string, o Options) (*Journal, error) {
	o.BodyLimit = cmp.Or(o.BodyLimit, defaultBodyLimit)
	o.KeepExchanges = cmp.Or(o.KeepExchanges, defaultKeepExchanges)
	o.KeepFor = cmp.Or(o.KeepFor, defaultKeepFor)
	o.KeepBytes = cmp.Or(o.KeepBytes, defaultKeepBytes)
	write, read := address(path, true), address(path, false)
	if path == "" {
		name := "bcdev-" + rand.Text()
		write, read = memoryAddress(name, true), memoryAddress(name, false)
	} else if err := openFile(path, o.ReadOnly); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		write = read
	}
	l, err := dial(write)
	if err != nil {
		return nil, sqliteError(path, err)
	}
	if err := prepareFile(l, path, o.ReadOnly); err != nil {
		return nil, errors.Join(err, l.close())
	}
	connector, err := sqlite.NewConnector(read)
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return newJournal(o, l, sql.OpenDB(connector)), nil
}

func prepareFile(l *link, path string, readOnly bool) error {
	if err := l.ready(path, readOnly); err != nil || readOnly {
		return err
	}
	err := l.script("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=512;" +
		"PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-8000")
	if err != nil {
		return sqliteError(path, err)
	}
	return nil
}

func newJournal(o Options, l *link, readers *sql.DB) *Journal {
	readers.SetMaxOpenConns(maxReaders)
	readers.SetMaxIdleConns(maxReaders)
	j := &Journal{o: o, queue: newQueue(), readers: readers}
	j.buffers.max = memoryBudget
	j.watchers = newWatchers()
	t := &txn{link: l, masker: masker{seal: o.Seal, secret: o.Known}, limit: o.BodyLimit,
		targets: map[string]int64{}, words: map[string]int64{}, boxes: map[string]driver.Value{},
		wanted: j.watchers.any, publish: j.watchers.publishOwn}
	if o.ReadOnly {
		j.watchers.follow(t)
		return j
	}
	j.w = &writer{j: j, t: t, ended: make(chan struct{})}
	t.unsealed = func(err error) {
		j.w.log(slog.LevelWarn, "a callback cannot be replayed: sealing its secrets failed", err)
	}
	go j.w.loop()
	return j
}

// Close writes what is waiting and closes the file.
func (j *Journal) Close() error {
	j.closing.Do(func() {
		j.queue.close()
		if j.w != nil {
			<-j.w.ended
		}
		j.closeErr = errors.Join(j.watchers.close(), j.readers.Close())
		if j.w != nil {
			j.closeErr = errors.Join(j.closeErr, j.w.t.link.close())
		}
	})
	return j.closeErr
}

// notice tells a person, once each, without waiting for him.
func (j *Journal) notice(kind int, err error) {
	j.noticeMu.Lock()
	first := !j.noticed[kind]
	j.noticed[kind] = true
	j.noticeMu.Unlock()
	if first && j.o.Notice != nil {
		go j.o.Notice(err)
	}
}

// Add stores e at once and durably, and returns its ID. Size, hash and time are filled in where
// they are missing; secrets are masked.
func (j *Journal) Add(ctx context.Context, e Exchange) (int64, error) {
	ids, err := j.Import(ctx, []Exchange{e})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// Import stores exchanges like [Journal.Add], in one transaction: all or none.
func (j *Journal) Import(ctx context.Context, es []Exchange) (ids []int64, err error) {
	in := make([]entry, len(es))
	for i := range es {
		e := es[i]
		e.Marks = slices.Clone(e.Marks)
		in[i] = entry{e: &e}
	}
	stored := make([]int64, len(es))
	err = j.do(ctx, op{durable: true, run: func(t *txn) (err error) {
		for i := range in {
			if stored[i], err = t.add(&in[i]); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// Amend changes facts of a stored exchange: everything but the messages and the target.
func (j *Journal) Amend(ctx context.Context, id int64, change func(*Exchange)) error {
	return j.do(ctx, op{run: func(t *txn) error { return t.amend(id, change) }})
}

// Flush waits until everything recorded so far is in the file.
func (j *Journal) Flush(ctx context.Context) error {
	if j.w == nil {
		return nil
	}
	return j.do(ctx, op{run: func(*txn) error { return nil }})
}
