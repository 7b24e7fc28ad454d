package bigcommerce

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

//go:embed data/events.csv
var eventsCSV string

// Event is one webhook scope BigCommerce documents, with an example of its data.
type Event struct {
	Scope   string
	Example json.RawMessage
	About   string // one line for people
}

// The names below stand in scopes and paths for one segment of any text.
const (
	channelSegment = "{channel_id}"
	anySegment     = "{}"
)

var loadEvents = sync.OnceValue(func() []Event {
	var events []Event
	for _, row := range readCSV(eventsCSV) {
		events = append(events, Event{Scope: row[0], Example: json.RawMessage(row[1]), About: row[2]})
	}
	return events
})

// readCSV reads an embedded table without its heading. The tables are checked by tests.
func readCSV(text string) [][]string {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil
	}
	return rows[1:]
}

// Events lists every documented event, in the order of the documentation. Events without a
// documented example have an empty object.
func Events() []Event { return slices.Clone(loadEvents()) }

// FindEvent returns the event of a concrete scope ("store/channel/2/cart/created" matches
// "store/channel/{channel_id}/cart/created"), and otherwise the nearest names. Spellings of the
// documentation's own examples, a slash at the end and lineItems, are forgiven.
func FindEvent(scope string) (Event, []string, bool) {
	plain := strings.TrimSuffix(strings.TrimSpace(scope), "/")
	plain = strings.Replace(plain, "/cart/lineItems/", "/cart/lineItem/", 1)
	for _, e := range loadEvents() {
		if e.Scope == plain {
			return e, nil, true
		}
	}
	segments := strings.Split(plain, "/")
	for _, e := range loadEvents() {
		if matchEvent(e.Scope, segments) {
			return e, nil, true
		}
	}
	return Event{}, nearest(plain), false
}

func matchEvent(pattern string, segments []string) bool {
	parts := strings.Split(pattern, "/")
	if len(parts) != len(segments) {
		return false
	}
	for i, part := range parts {
		variable := part == channelSegment || part == "*"
		if part != segments[i] && (!variable || !digits(segments[i])) {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	return s != "" && len(s) <= 18 && strings.Trim(s, "0123456789") == ""
}

// ValidHookScope reports whether a webhook can be registered for scope: an event with its
// channel id filled in, or a family such as store/order/*. Otherwise it proposes the nearest.
func ValidHookScope(scope string) (nearestNames []string, ok bool) {
	if family, wild := strings.CutSuffix(scope, "/*"); wild {
		if knownFamily(family) {
			return nil, true
		}
		return nearestFamilies(family), false
	}
	segments := strings.Split(scope, "/")
	for _, e := range loadEvents() {
		literal := strings.Contains(e.Scope, "*") // of these events the asterisk is part of the name
		if e.Scope == scope && !strings.Contains(scope, "{") || !literal && matchEvent(e.Scope, segments) && !strings.Contains(scope, "{") {
			return nil, true
		}
	}
	if e, _, found := FindEvent(scope); found {
		return []string{strings.Replace(e.Scope, channelSegment, "1", 1)}, false
	}
	return nearest(scope), false
}

func knownFamily(family string) bool {
	segments := strings.Split(family, "/")
	if len(segments) < 2 || strings.Contains(family, "{") {
		return false
	}
	for _, e := range loadEvents() {
		parts := strings.Split(e.Scope, "/")
		if len(parts) > len(segments) && matchEvent(strings.Join(parts[:len(segments)], "/"), segments) {
			return true
		}
	}
	return false
}

func nearestFamilies(family string) []string {
	var families []string
	for _, e := range loadEvents() {
		name := strings.Replace(e.Scope[:strings.LastIndexByte(e.Scope, '/')]+"/*", channelSegment, "1", 1)
		if !slices.Contains(families, name) && knownFamily(strings.TrimSuffix(name, "/*")) {
			families = append(families, name)
		}
	}
	return closest(family+"/*", families)
}

func nearest(scope string) []string {
	var names []string
	for _, e := range loadEvents() {
		names = append(names, e.Scope)
	}
	return closest(scope, names)
}

// closest returns up to three of names that differ least from s, the best first, and none when
// they have little in common.
func closest(s string, names []string) []string {
	s = strings.ToLower(s[:min(len(s), maxScope)])
	type candidate struct {
		name string
		off  int
	}
	var found []candidate
	for _, name := range names {
		off := distance(s, strings.ToLower(withChannelOf(s, name)))
		if strings.HasSuffix(strings.ToLower(name), "/"+s) {
			off = 0 // "order/created" lacks only its beginning
		}
		if off <= max(3, len(s)/3) {
			found = append(found, candidate{name, off})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.off, b.off) })
	var out []string
	for _, c := range found[:min(3, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// withChannelOf puts what stands in the place of the channel in s into name, so that it does not
// count as a difference.
func withChannelOf(s, name string) string {
	if segments := strings.SplitN(s, "/", 4); len(segments) == 4 {
		return strings.Replace(name, channelSegment, segments[2], 1)
	}
	return name
}

// distance counts the bytes to insert, delete or replace between a and b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
