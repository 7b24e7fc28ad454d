package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// insertNote stores a finished note that was not committed before, and its attempts.
func (t *txn) insertNote(n *Note) (err error) {
	if n.in.e == nil {
		n.in = entry{e: &n.ex, copied: true}
		n.messages(&n.ex)
	}
	if n.row, err = t.add(&n.in); err != nil {
		return err
	}
	t.notes = append(t.notes, n)
	return t.addAttempts(n)
}

// updateNote adds the response to a committed note. Facts that others changed meanwhile stay,
// unless the note changed them, too.
func (t *txn) updateNote(n *Note) error {
	if n.row == 0 {
		return nil // the commit failed, and its room knows
	}
	row, err := t.load(n.row)
	if err != nil {
		return err
	}
	e := n.ex
	n.messages(&e)
	e.Request.Header, e.Response.Header = e.Request.Header.Clone(), e.Response.Header.Clone()
	t.masker.texts(&e)
	t.masker.bodies(&e)
	row.takeFacts(n.base, &e)
	row.Request, row.Response = e.Request, e.Response
	row.Status, row.Took, row.First = e.Status, e.Took, e.First
	t.head = appendHead(t.head[:0], &e.Request, &e.Response)
	if _, err := t.link.exec("UPDATE message SET head = ?, response = ? WHERE id = ?",
		t.head, bytesOrNull(e.Response.Body), n.row); err != nil {
		return err
	}
	if err := t.updateFacts(&row, int64(len(e.Response.Body))+headSize(e.Response.Header)); err != nil {
		return err
	}
	return t.addAttempts(n)
}

func (t *txn) addAttempts(n *Note) error {
	for i := range n.attempts {
		n.attempts[i].e.Of = n.row
		if _, err := t.add(&n.attempts[i]); err != nil {
			return err
		}
	}
	return nil
}

// messages puts what the tees kept into e.
func (n *Note) messages(e *Exchange) {
	n.requestMessage(&e.Request)
	if e.Status != 0 || n.response.size > 0 {
		n.response.message(&e.Response)
	}
}

// takeFacts takes what differs between before and after, and leaves the rest.
func (e *Exchange) takeFacts(before, after *Exchange) {
	take(&e.Kind, before.Kind, after.Kind)
	take(&e.Topic, before.Topic, after.Topic)
	take(&e.Store, before.Store, after.Store)
	take(&e.Err, before.Err, after.Err)
	take(&e.Of, before.Of, after.Of)
	take(&e.Via, before.Via, after.Via)
	take(&e.Attempt, before.Attempt, after.Attempt)
	take(&e.Verdict, before.Verdict, after.Verdict)
	take(&e.Hint, before.Hint, after.Hint)
	if !slices.Equal(before.Marks, after.Marks) {
		e.Marks = after.Marks
	}
	if !bytes.Equal(before.Detail, after.Detail) {
		e.Detail = after.Detail
	}
}

func take[T comparable](to *T, before, after T) {
	if before != after {
		*to = after
	}
}

// amend changes the facts of a stored exchange.
func (t *txn) amend(id int64, change func(*Exchange)) error {
	e, err := t.load(id)
	if err != nil {
		return err
	}
	before := e
	change(&e)
	e.ID, e.Target, e.Sealed, e.Request, e.Response = before.ID, before.Target, before.Sealed, before.Request, before.Response
	t.masker.facts(&e)
	return t.updateFacts(&e, int64(len(e.Detail)-len(before.Detail)))
}

// complete cuts the body to limit bytes, and fills in size and hash where they are missing.
func (m *Message) complete(limit int64) {
	if m.Size == 0 {
		m.Size = int64(len(m.Body))
	}
	if m.SHA256 == "" && !m.Truncated && !m.Dropped {
		sum := sha256.Sum256(m.Body)
		m.SHA256 = hex.EncodeToString(sum[:])
	}
	if int64(len(m.Body)) > limit {
		m.Body, m.Truncated = m.Body[:limit], true
	}
}
