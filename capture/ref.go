package capture

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

var kindNames = []Kind{Auth, Load, Uninstall, RemoveUser, Hook, Call, Token, Other}

// RefError is a reference that names nothing, or no exchange. It wraps [ErrNotFound].
type RefError struct {
	Ref  string
	Text string
}

func (e *RefError) Error() string { return fmt.Sprintf("%s: %q", e.Text, e.Ref) }

// Unwrap returns [ErrNotFound].
func (e *RefError) Unwrap() error { return ErrNotFound }

// Hint says what to do next.
func (e *RefError) Hint() string {
	return `say an ID ("17"), "latest", "latest auth" or "latest store/order/created"; bcdev list shows what there is`
}

// ref is a reference taken apart.
type ref struct {
	id    int64 // 0: the latest
	kind  Kind
	topic string
}

func parseRef(s string) (ref, error) {
	words := strings.Fields(s)
	switch {
	case len(words) == 1 && words[0] == "latest":
		return ref{}, nil
	case len(words) == 2 && words[0] == "latest" && slices.Contains(kindNames, Kind(words[1])):
		return ref{kind: Kind(words[1])}, nil
	case len(words) == 2 && words[0] == "latest" && strings.HasPrefix(words[1], "store/"):
		return ref{topic: words[1]}, nil
	case len(words) == 1:
		if id, err := strconv.ParseInt(words[0], 10, 64); err == nil && id > 0 && words[0][0] != '+' {
			return ref{id: id}, nil
		}
	}
	return ref{}, &RefError{s, "no such reference"}
}

// Get returns one exchange, bodies included, by reference: "17", "latest", "latest auth",
// "latest store/order/created". "latest" passes over deliveries to the local app, imports, and
// attempts that were repeated.
// Its error is ErrNotFound when there is none.
func (j *Journal) Get(ctx context.Context, ref string) (Exchange, error) {
	e, _, err := j.get(ctx, ref)
	return e, err
}

// Reveal is Get with the sealed parts of Target brought back.
func (j *Journal) Reveal(ctx context.Context, ref string) (Exchange, error) {
	e, sealed, err := j.get(ctx, ref)
	if err != nil || len(sealed) == 0 || j.o.Unseal == nil {
		return e, err
	}
	target, err := j.o.Unseal(sealed)
	if err != nil {
		return e, fmt.Errorf("unsealing exchange %d: %w", e.ID, err)
	}
	e.Target = string(target)
	return e, nil
}

func (j *Journal) get(ctx context.Context, s string) (e Exchange, sealed []byte, err error) {
	r, err := parseRef(s)
	if err != nil {
		return e, nil, err
	}
	id := r.id
	if id == 0 {
		if id, err = j.latest(ctx, r); err != nil {
			return e, nil, fmt.Errorf("looking for %q: %w", s, err)
		}
	}
	err = j.rows(ctx, true, func(found Exchange, seal []byte) { e, sealed = found, seal }, "WHERE e.id = ?", id)
	if err != nil {
		return e, nil, fmt.Errorf("reading exchange %s: %w", s, err)
	}
	if e.ID == 0 {
		return e, nil, &RefError{s, ErrNotFound.Error()}
	}
	return e, sealed, nil
}

// latest finds the newest exchange r names; 0 when there is none.
func (j *Journal) latest(ctx context.Context, r ref) (int64, error) {
	q := Query{Topic: r.topic, Limit: 1, captured: true}
	if r.kind != "" {
		q.Kinds = []Kind{r.kind}
	}
	ids, err := j.find(ctx, q)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return ids[0], nil
}
