package capture

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxCached is how many dictionary entries the writer remembers.
const maxCached = 8192

// entry is an exchange about to be stored. It is masked once, however often a transaction is
// tried again.
type entry struct {
	e      *Exchange
	sealed []byte
	masked bool
	copied bool // headers were masked when they were copied
}

// txn is the writer's hand on the file: a transaction at a time, and what it remembers between
// two of them.
type txn struct {
	link   *link
	masker masker
	limit  int64 // of a body

	full     bool  // PRAGMA synchronous as it stands
	version  int64 // PRAGMA data_version: changes when another process wrote
	targets  map[string]int64
	words    map[string]int64
	boxes    map[string]driver.Value
	head     []byte
	exchange int64 // growth in this transaction
	bytes    int64
	notes    []*Note
	fresh    []Exchange // for the watchers
	unsealed func(error)
	wanted   func() bool
	publish  func([]Exchange)

	exchanges, total int64 // what the journal holds, as of the last commit
	expire           bool  // look for old ones, too
	patience         int64 // exchanges under which there is nothing to remove
}

// forget drops what is remembered of the dictionaries.
func (t *txn) forget() {
	clear(t.targets)
	clear(t.words)
}

// do runs ops in one transaction. Refusals stay with the op that met them; any other error
// undoes them all.
func (t *txn) do(ops []op) error {
	durable := false
	for i := range ops {
		durable = durable || ops[i].durable
	}
	if err := t.begin(durable); err != nil {
		return err
	}
	for i := range ops {
		if err := t.one(&ops[i]); err != nil {
			if ops[i].err = refused(err); ops[i].err == nil {
				return t.rollback(err)
			}
		}
	}
	return t.commit()
}

func (t *txn) one(o *op) error {
	switch {
	case o.run != nil:
		return o.run(t)
	case o.insert:
		return t.insertNote(o.note)
	default:
		return t.updateNote(o.note)
	}
}

func (t *txn) begin(durable bool) error {
	if durable != t.full {
		mode := "NORMAL"
		if durable {
			mode = "FULL"
		}
		if err := t.link.script("PRAGMA synchronous=" + mode); err != nil {
			return err
		}
		t.full = durable
	}
	t.exchange, t.bytes = 0, 0
	if _, err := t.link.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	version, err := t.link.number("PRAGMA data_version")
	if err != nil {
		return t.rollback(err)
	}
	if version != t.version || len(t.targets) > maxCached || len(t.words) > maxCached {
		t.forget()
	}
	t.version = version
	return nil
}

func (t *txn) commit() error {
	if t.exchange != 0 || t.bytes != 0 {
		err := t.link.query(func(row []driver.Value) error {
			t.exchanges, t.total = asInt(row[0]), asInt(row[1])
			return nil
		}, "UPDATE stat SET exchanges = exchanges + ?, bytes = bytes + ? RETURNING exchanges, bytes", t.exchange, t.bytes)
		if err != nil {
			return t.rollback(err)
		}
	}
	if _, err := t.link.exec("COMMIT"); err != nil {
		return t.rollback(err)
	}
	for _, n := range t.notes {
		n.id.Store(n.row)
	}
	t.notes = t.notes[:0]
	if len(t.fresh) > 0 {
		t.publish(t.fresh)
		clear(t.fresh)
		t.fresh = t.fresh[:0]
	}
	return nil
}

// rollback undoes the transaction. Many errors have made SQLite do so already, so its own answer
// says nothing.
func (t *txn) rollback(cause error) error {
	_, _ = t.link.exec("ROLLBACK")
	t.forget()
	for _, n := range t.notes {
		n.row = 0
	}
	clear(t.fresh)
	t.notes, t.fresh = t.notes[:0], t.fresh[:0]
	return cause
}

// refusal is an error that concerns one op and has changed nothing.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }

func refuse(err error) error { return &refusal{err} }

// refused is the error behind a refusal, nil when err is none.
func refused(err error) error {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r.err
	}
	return nil
}

// target returns the dictionary's ID of a request target.
func (t *txn) target(text string) (int64, error) {
	return t.lookUp(t.targets, text, "SELECT id FROM target WHERE text = ?", "INSERT INTO target (text) VALUES (?)")
}

// word returns the dictionary's ID of a text, nil for none.
func (t *txn) word(text string) (driver.Value, error) {
	if text == "" {
		return nil, nil
	}
	return t.lookUp(t.words, text, "SELECT id FROM word WHERE text = ?", "INSERT INTO word (text) VALUES (?)")
}

func (t *txn) lookUp(cache map[string]int64, text, find, insert string) (int64, error) {
	if id, ok := cache[text]; ok {
		return id, nil
	}
	id, err := t.link.number(find, text)
	if err != nil {
		return 0, err
	}
	if id == 0 {
		r, err := t.link.exec(insert, text)
		if err != nil {
			return 0, err
		}
		if id, err = r.LastInsertId(); err != nil {
			return 0, err
		}
	}
	cache[strings.Clone(text)] = id
	return id, nil
}

// add stores a whole exchange and returns its ID.
func (t *txn) add(in *entry) (int64, error) {
	t.mask(in)
	e := in.e
	t.head = appendHead(t.head[:0], &e.Request, &e.Response)
	kept := int64(len(t.head)+len(e.Request.Body)+len(e.Response.Body)+len(e.Detail)+len(in.sealed)) + 200
	id, err := t.insertFacts(e, in.sealed, kept)
	if err != nil {
		return 0, err
	}
	if _, err := t.link.exec("INSERT INTO message (id, head, request, response) VALUES (?, ?, ?, ?)",
		id, t.head, bytesOrNull(e.Request.Body), bytesOrNull(e.Response.Body)); err != nil {
		return 0, err
	}
	t.exchange++
	t.bytes += kept
	e.ID = id
	t.tell(*e)
	return id, nil
}

func (t *txn) mask(in *entry) {
	if in.masked {
		return
	}
	var err error
	in.masked = true
	if in.copied {
		in.sealed, err = t.masker.recorded(in.e)
	} else {
		t.complete(in.e)
		in.sealed, err = t.masker.exchange(in.e)
	}
	if err != nil { // masked for good, then
		in.sealed, in.e.Sealed = nil, false
		t.unsealed(err)
	}
}

// complete fills in what the makers of exchanges may leave to us.
func (t *txn) complete(e *Exchange) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	for _, m := range []*Message{&e.Request, &e.Response} {
		if m == &e.Response && e.Status == 0 && len(m.Body) == 0 && m.Size == 0 {
			continue
		}
		m.complete(t.limit)
	}
}

func (t *txn) insertFacts(e *Exchange, sealed []byte, kept int64) (int64, error) {
	ids, err := t.dictionary(e)
	if err != nil {
		return 0, err
	}
	r, err := t.link.exec(`INSERT INTO exchange (door, kind, topic, store, at, took, first, method, target, host, proto,
		remote, status, err, of, via, attempt, verdict, hint, marks, detail, sealed, kept)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.box(string(e.Door)), t.box(string(e.Kind)), ids.topic, t.box(e.Store), e.At.UnixNano(), int64(e.Took),
		int64(e.First), t.box(e.Method), ids.target, t.box(e.Host), t.box(e.Proto), t.box(e.Remote), int64(e.Status),
		ids.err, intOrNull(e.Of), orNull(e.Via), intOrNull(int64(e.Attempt)), orNull(e.Verdict), ids.hint,
		orNull(strings.Join(e.Marks, "\n")), bytesOrNull(e.Detail), bytesOrNull(sealed), kept)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// updateFacts writes all facts of e but its sealed target, and notes the change for watchers.
func (t *txn) updateFacts(e *Exchange, grown int64) error {
	ids, err := t.dictionary(e)
	if err != nil {
		return err
	}
	_, err = t.link.exec(`UPDATE exchange SET door = ?, kind = ?, topic = ?, store = ?, at = ?, took = ?, first = ?,
		method = ?, target = ?, host = ?, proto = ?, remote = ?, status = ?, err = ?, of = ?, via = ?, attempt = ?,
		verdict = ?, hint = ?, marks = ?, detail = ?, kept = kept + ? WHERE id = ?`,
		t.box(string(e.Door)), t.box(string(e.Kind)), ids.topic, t.box(e.Store), e.At.UnixNano(), int64(e.Took),
		int64(e.First), t.box(e.Method), ids.target, t.box(e.Host), t.box(e.Proto), t.box(e.Remote), int64(e.Status),
		ids.err, intOrNull(e.Of), orNull(e.Via), intOrNull(int64(e.Attempt)), orNull(e.Verdict), ids.hint,
		orNull(strings.Join(e.Marks, "\n")), bytesOrNull(e.Detail), grown, e.ID)
	if err != nil {
		return err
	}
	t.bytes += grown
	t.tell(*e)
	return t.changed(e.ID)
}

// box is orNull for texts that come again and again: as a value ready for the driver.
func (t *txn) box(s string) driver.Value {
	if v, ok := t.boxes[s]; ok {
		return v
	}
	if len(t.boxes) > maxCached {
		clear(t.boxes)
	}
	v := orNull(strings.Clone(s))
	t.boxes[s] = v
	return v
}

// changed leaves a trace for other processes; a thousand are plenty.
func (t *txn) changed(id int64) error {
	r, err := t.link.exec("INSERT INTO change (exchange) VALUES (?)", id)
	if err != nil {
		return err
	}
	seq, err := r.LastInsertId()
	if err != nil || seq%100 != 0 {
		return err
	}
	_, err = t.link.exec("DELETE FROM change WHERE seq <= ?", seq-1000)
	return err
}

type dictionaryIDs struct{ topic, target, err, hint driver.Value }

func (t *txn) dictionary(e *Exchange) (ids dictionaryIDs, err error) {
	target, err := t.target(e.Target)
	if err != nil {
		return ids, err
	}
	ids.target = target
	if ids.topic, err = t.word(e.Topic); err != nil {
		return ids, err
	}
	if ids.err, err = t.word(e.Err); err != nil {
		return ids, err
	}
	ids.hint, err = t.word(e.Hint)
	return ids, err
}

// tell keeps e, without bodies, for the watchers.
func (t *txn) tell(e Exchange) {
	if !t.wanted() {
		return
	}
	e.Request.Body, e.Response.Body = nil, nil
	e.At = e.At.UTC().Round(0)
	t.fresh = append(t.fresh, e)
}

// load reads a stored exchange within the transaction.
func (t *txn) load(id int64) (e Exchange, err error) {
	err = t.link.query(func(row []driver.Value) error {
		e, _, err = fromRow(row)
		return err
	}, selectRows+"WHERE e.id = ?", id)
	if err == nil && e.ID == 0 {
		err = refuse(fmt.Errorf("exchange %s: %w", strconv.FormatInt(id, 10), ErrNotFound))
	}
	return e, err
}
