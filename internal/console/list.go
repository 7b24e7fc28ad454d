package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// List shows exchanges, one a line, in the order given.
func (c *Console) List(exchanges []capture.Exchange) {
	if c.o.JSON {
		for _, e := range exchanges {
			c.exchangeEvent(e)
		}
		return
	}
	if len(exchanges) == 0 {
		c.Notef("nothing is in the journal that fits")
		return
	}
	rows := make([]row, len(exchanges))
	for i, e := range exchanges {
		rows[i] = c.listRow(e)
	}
	head := []string{"#", "time", "kind", "store", "status", "took", "what"}
	c.table(c.narrow(head, rows), rows)
}

// whatCells is what the last column of a list needs to say anything.
const whatCells = 24

// narrow empties columns that a narrow terminal has no room for, the least telling first.
func (c *Console) narrow(head []string, rows []row) []string {
	for _, drop := range []int{5, 3, 1} {
		used := 0
		for _, w := range columnWidths(head, rows)[:6] {
			if w > 0 {
				used += w + 2
			}
		}
		if c.o.Width == 0 || used+whatCells <= c.o.Width {
			break
		}
		head[drop] = ""
		for _, r := range rows {
			r[drop].text = ""
		}
	}
	return head
}

// A cell is text in ink; a row is cells.
type (
	cell struct {
		i    ink
		text string
	}
	row []cell
)

func (c *Console) listRow(e capture.Exchange) row {
	status := cell{statusInk(e.Status), strconv.Itoa(e.Status)}
	if e.Status == 0 {
		status.text = "-"
	}
	return row{
		{link, strconv.FormatInt(e.ID, 10)},
		{faint, c.when(e.At)},
		{plain, kindWord(e)},
		{faint, e.Store},
		status,
		{faint, took(e.Took)},
		{plain, listWhat(e)},
	}
}

// when is the time of day, with the date when that is not today.
func (c *Console) when(t time.Time) string {
	t, now := t.In(c.o.Location), c.o.Now().In(c.o.Location)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// kindWord is the kind, with what bcdev itself had to do with it.
func kindWord(e capture.Exchange) string {
	word := strings.ReplaceAll(string(e.Kind), "_", " ")
	if e.Kind == capture.Auth {
		word = "install"
	}
	if e.Door == capture.Local {
		return "app " + word
	}
	return word
}

func listWhat(e capture.Exchange) string {
	what := briefly(e)
	if e.Topic != "" {
		what = e.Topic
	}
	if e.Of > 0 {
		what += fmt.Sprintf("  of #%d", e.Of)
	}
	for _, m := range append([]string{e.Via, e.Verdict}, e.Marks...) {
		if m != "" && m != "pass" {
			what += "  " + m
		}
	}
	if e.Err != "" {
		what += "  " + e.Err
	}
	return what
}

// StoreRow is one store and what opens it.
type StoreRow struct {
	Hash    string
	Alias   string
	Scopes  []string
	User    string    // e-mail or name of who installed the app
	At      time.Time // when the grant was given
	Where   string    // where the token is kept, in words
	Token   redact.Secret
	Current bool // what /v3/... means
	// Quota is the store's rate limit as its last answer told of it; nil when none has.
	Quota *bigcommerce.Quota
}

// Stores shows the stores that have a grant.
func (c *Console) Stores(stores []StoreRow) {
	if c.o.JSON {
		for _, r := range stores {
			c.event("store", field{"store", r.Hash}, field{"alias", r.Alias}, field{"scope", list(r.Scopes)},
				field{"user", r.User}, field{"since", stamp(r.At)}, field{"where", r.Where},
				field{"token", r.Token.Tail()}, field{"current", r.Current}, field{"quota", quotaFields(r.Quota)})
		}
		return
	}
	if len(stores) == 0 {
		c.Notef("no store has a grant yet: run bcdev up, and install the app in a store")
		return
	}
	head := []string{"", "store", "alias", "token", "since", "user", "kept in", "scopes"}
	asked := slices.ContainsFunc(stores, func(r StoreRow) bool { return r.Quota != nil })
	if asked {
		head = slices.Insert(head, len(head)-1, "quota")
	}
	rows := make([]row, len(stores))
	for i, r := range stores {
		rows[i] = c.storeRow(r)
		if asked {
			rows[i] = slices.Insert(rows[i], len(rows[i])-1, cell{plain, quotaWords(r.Quota)})
		}
	}
	c.table(head, rows)
}

func quotaFields(q *bigcommerce.Quota) any {
	if q == nil {
		return nil
	}
	return ordered{{"limit", q.Limit}, {"left", q.Left}, {"window_ms", q.Window.Milliseconds()}}
}

func quotaWords(q *bigcommerce.Quota) string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d left", q.Left, q.Limit)
}

func (c *Console) storeRow(r StoreRow) row {
	current, since := cell{good, ""}, ""
	if r.Current {
		current.text = c.sheet().mark("▶")
	}
	if !r.At.IsZero() {
		since = r.At.In(c.o.Location).Format(time.DateTime)
	}
	return row{current, {strong, r.Hash}, {plain, r.Alias}, {plain, r.Token.Tail()}, {faint, since},
		{plain, r.User}, {faint, r.Where}, {plain, strings.Join(r.Scopes, " ")}}
}

// Table shows rows under a head, columns aligned, the last one cut where the terminal ends. With
// JSON each row is an event with the head's names as members.
func (c *Console) Table(head []string, rows [][]string) {
	if c.o.JSON {
		for _, r := range rows {
			c.rowEvent(head, r)
		}
		return
	}
	all := make([]row, len(rows))
	for i, r := range rows {
		for _, text := range r {
			all[i] = append(all[i], cell{plain, text})
		}
	}
	c.table(head, all)
}

func (c *Console) rowEvent(head, row []string) {
	var members []field
	for i, text := range row {
		if i < len(head) && head[i] != "" {
			members = append(members, field{strings.ReplaceAll(head[i], " ", "_"), text})
		}
	}
	c.event("row", members...)
}

func (c *Console) table(head []string, rows []row) {
	widths := columnWidths(head, rows)
	s := c.sheet()
	var titles row
	for _, h := range head {
		titles = append(titles, cell{faint, h})
	}
	if strings.Join(head, "") != "" {
		s.tableRow(titles, widths)
	}
	for _, r := range rows {
		s.tableRow(r, widths)
	}
	c.toOut(s)
}

func columnWidths(head []string, rows []row) []int {
	widths := make([]int, len(head))
	for i, h := range head {
		widths[i] = cells(escape(h))
	}
	for _, r := range rows {
		for i, each := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(escape(each.text)))
		}
	}
	return widths
}

func (s *sheet) tableRow(r row, widths []int) {
	at := 0
	for i, each := range r {
		if widths[i] == 0 {
			continue
		}
		room := 0
		if s.width > 0 {
			room = s.width - at
			if room < 1 {
				break
			}
		}
		if each.text != "" {
			s.gap(at)
			s.put(each.i, s.cut(escape(each.text), room))
		}
		at += widths[i] + 2
	}
	s.line()
}

// gap writes spaces up to column n.
func (s *sheet) gap(n int) {
	if n > s.col {
		s.b.WriteString(strings.Repeat(" ", n-s.col))
		s.col = n
	}
}
