package capture

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
)

// maxDrive is how many values of a column a search goes through one by one. With more, matches
// are so frequent that walking from the newest exchange finds a page sooner.
const maxDrive = 1024

// search is a query as it will be asked: conditions on exchange x, and the columns that lead to
// its matches.
type search struct {
	where []string
	args  []any
	drive []drive // none: walk from the newest
	limit int
}

// drive is a column with the values to look for. Every value has its own index range in the
// order of the IDs, so no more than limit rows of each are ever read.
type drive struct {
	column string // an expression, as indexed
	index  string
	values []int64
	texts  []string
}

func (s *search) and(condition string, args ...any) {
	s.where = append(s.where, condition)
	s.args = append(s.args, args...)
}

// planSearch chooses what leads to the matches of q: the most selective thing it names. It
// returns nil when nothing can match.
func planSearch(ctx context.Context, tx *sql.Tx, q Query) (*search, error) {
	s := &search{limit: q.limit()}
	s.plain(q)
	if err := s.status(q.Status); err != nil {
		return nil, err
	}
	// From the least to the most selective: the last one that can lead does.
	if q.Store != "" {
		s.drive = []drive{{column: "x.store", index: "exchange_store", texts: []string{q.Store}}}
	}
	s.kinds(q.Kinds)
	s.classes(q.Status)
	if q.Of != 0 {
		s.and("x.of = ?", q.Of)
		s.drive = []drive{{column: "x.of", index: "exchange_of", values: []int64{q.Of}}}
	}
	for _, lead := range []func(context.Context, *sql.Tx, Query) (bool, error){s.topic, s.path, s.text} {
		if some, err := lead(ctx, tx, q); err != nil || !some {
			return nil, err
		}
	}
	return s, nil
}

// plain are the conditions no index is wanted for.
func (s *search) plain(q Query) {
	if q.Door != "" {
		s.and("x.door = ?", string(q.Door))
	}
	if q.captured {
		s.and("x.door IS NOT ? AND (x.via IS NULL OR x.via NOT IN ('import', 'retry'))", string(Local))
	}
	if q.Store != "" {
		s.and("x.store = ?", q.Store)
	}
	if q.Method != "" {
		s.and("x.method = ?", strings.ToUpper(q.Method))
	}
	if !q.Since.IsZero() {
		s.and("x.at >= ?", q.Since.UnixNano())
	}
	if !q.Until.IsZero() {
		s.and("x.at < ?", q.Until.UnixNano())
	}
	if q.Before != 0 {
		s.and("x.id < ?", q.Before)
	}
	if q.After != 0 {
		s.and("x.id > ?", q.After)
	}
}

func (s *search) status(status string) error {
	if status == "" {
		return nil
	}
	low, high, err := ParseStatus(status)
	if err != nil {
		return err
	}
	s.and("x.status BETWEEN ? AND ?", low, high)
	return nil
}

func (s *search) kinds(kinds []Kind) {
	if len(kinds) == 0 {
		return
	}
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	s.and("x.kind IN (SELECT value FROM json_each(?))", jsonList(texts))
	if s.drive != nil && slices.Contains(kinds, Call) {
		return // most are calls: the store tells more
	}
	s.drive = []drive{{column: "x.kind", index: "exchange_kind", texts: texts}}
}

// classes leads by status, unless what is asked for is the rule and not the exception.
func (s *search) classes(status string) {
	if status == "" {
		return
	}
	low, high, _ := ParseStatus(status) // was fine before
	if low <= 299 && high >= 200 && s.drive != nil {
		return
	}
	var classes []int64
	for c := low / 100; c <= high/100; c++ {
		classes = append(classes, int64(c))
	}
	s.drive = []drive{{column: "x.status / 100", index: "exchange_class", values: classes}}
}

func (s *search) topic(ctx context.Context, tx *sql.Tx, q Query) (some bool, err error) {
	if q.Topic == "" {
		return true, nil
	}
	pattern := likeTopic(q.Topic)
	ids, err := dictionaryIDsOf(ctx, tx, `SELECT id FROM word WHERE text LIKE ? ESCAPE '\'`, pattern)
	if err != nil || len(ids) == 0 {
		return false, err
	}
	s.and(`EXISTS (SELECT 1 FROM word w WHERE w.id = x.topic AND w.text LIKE ? ESCAPE '\')`, pattern)
	s.lead(drive{column: "x.topic", index: "exchange_topic", values: ids})
	return true, nil
}

func (s *search) path(ctx context.Context, tx *sql.Tx, q Query) (some bool, err error) {
	if q.Path == "" {
		return true, nil
	}
	condition, args := pathCondition(q.Path)
	ids, err := dictionaryIDsOf(ctx, tx, "SELECT id FROM target d WHERE "+condition, args...)
	if err != nil || len(ids) == 0 {
		return false, err
	}
	s.and("EXISTS (SELECT 1 FROM target d WHERE d.id = x.target AND "+condition+")", args...)
	s.lead(drive{column: "x.target", index: "exchange_target", values: ids})
	return true, nil
}

// pathCondition selects request targets by their path: a prefix is a range of the dictionary's
// index, a substring is looked for in what stands before the question mark.
func pathCondition(path string) (string, []any) {
	if strings.HasPrefix(path, "/") {
		return "d.text >= ? AND d.text < ?", []any{path, after(path)}
	}
	return `(CASE instr(d.text, '?') WHEN 0 THEN d.text ELSE substr(d.text, 1, instr(d.text, '?') - 1) END) LIKE ? ESCAPE '\'`,
		[]any{likeText(path)}
}

// after is the first text above all that start with prefix.
func after(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return "\xff\xff\xff\xff"
}

func (s *search) text(ctx context.Context, tx *sql.Tx, q Query) (some bool, err error) {
	if q.Text == "" {
		return true, nil
	}
	pattern := likeText(q.Text)
	targets, err := dictionaryIDsOf(ctx, tx, `SELECT id FROM target WHERE text LIKE ? ESCAPE '\'`, pattern)
	if err != nil {
		return false, err
	}
	words, err := dictionaryIDsOf(ctx, tx, `SELECT id FROM word WHERE text LIKE ? ESCAPE '\'`, pattern)
	if err != nil || len(targets)+len(words) == 0 {
		return false, err
	}
	s.and(`(EXISTS (SELECT 1 FROM target d WHERE d.id = x.target AND d.text LIKE ? ESCAPE '\')
		OR EXISTS (SELECT 1 FROM word w WHERE w.id IN (x.topic, x.hint, x.err) AND w.text LIKE ? ESCAPE '\'))`, pattern, pattern)
	var lead []drive
	if len(targets) > 0 {
		lead = append(lead, drive{column: "x.target", index: "exchange_target", values: targets})
	}
	if len(words) > 0 {
		lead = append(lead, drive{column: "x.topic", index: "exchange_topic", values: words},
			drive{column: "x.hint", index: "exchange_hint", values: words},
			drive{column: "x.err", index: "exchange_err", values: words})
	}
	s.lead(lead...)
	return true, nil
}

// lead lets d lead, unless one of its columns has too many values: then it is no more than a
// condition for whatever led before.
func (s *search) lead(d ...drive) {
	for _, one := range d {
		if len(one.values) > maxDrive {
			return
		}
	}
	s.drive = d
}

// dictionaryIDsOf returns at most one ID more than can lead.
func dictionaryIDsOf(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]int64, error) {
	return integers(ctx, tx, query+" LIMIT ?", append(args[:len(args):len(args)], maxDrive+1)...)
}

// sql writes the question down.
func (s *search) sql() (string, []any) {
	where := "1"
	if len(s.where) > 0 {
		where = strings.Join(s.where, " AND ")
	}
	if len(s.drive) == 0 {
		return "SELECT x.id FROM exchange x WHERE " + where + " ORDER BY x.id DESC LIMIT ?", append(s.args, s.limit)
	}
	var parts []string
	var args []any
	for _, d := range s.drive {
		parts = append(parts, `SELECT e.id FROM json_each(?) v CROSS JOIN exchange e ON e.id IN (
			SELECT x.id FROM exchange x INDEXED BY `+d.index+` WHERE `+d.column+` = v.value AND `+where+`
			ORDER BY x.id DESC LIMIT ?)`)
		args = append(args, d.list())
		args = append(append(args, s.args...), s.limit)
	}
	query := "SELECT id FROM (" + strings.Join(parts, " UNION ") + ") ORDER BY id DESC LIMIT ?"
	return query, append(args, s.limit)
}

func (d drive) list() string {
	if d.texts != nil {
		return jsonList(d.texts)
	}
	return jsonList(d.values)
}

func jsonList[T string | int64](values []T) string {
	b, err := json.Marshal(values)
	if err != nil {
		return "[]" // texts and integers always marshal
	}
	return string(b)
}

var likeSpecial = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// likeText is the pattern of a substring.
func likeText(s string) string { return "%" + likeSpecial.Replace(s) + "%" }

// likeTopic is the pattern of a topic in which * stands for one or more segments.
func likeTopic(s string) string { return strings.ReplaceAll(likeSpecial.Replace(s), "*", "_%") }
