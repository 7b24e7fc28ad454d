package inspect

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bcdev/capture"
)

// longestFilter bounds a filter, in bytes.
const longestFilter = 2000

// kinds are the words a filter may use, and what they mean. Several have two names: the one of the
// journal and the one people use.
var kinds = map[string]capture.Kind{
	"auth": capture.Auth, "install": capture.Auth,
	"load": capture.Load, "uninstall": capture.Uninstall,
	"remove_user": capture.RemoveUser, "remove-user": capture.RemoveUser,
	"webhook": capture.Hook, "hook": capture.Hook,
	"api": capture.Call, "call": capture.Call,
	"token": capture.Token, "other": capture.Other,
}

const filterNames = "kind:, status:, path:, store:, method:, topic:, door:, of:, since:, until: and plain words"

func badFilter(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "bad_filter", fmt.Sprintf(format, args...), "a filter knows "+filterNames+
		`; for example: kind:webhook status:5xx path:/v3/orders since:1h`)
}

// parseFilter reads the filter language: names with values, and words that are looked for as they
// are. There are no patterns in it, so nothing a reader types can take long.
func parseFilter(text string, now time.Time, resolve func(string) string) (capture.Query, error) {
	var q capture.Query
	if len(text) > longestFilter {
		return q, refuse(http.StatusBadRequest, "too_long", fmt.Sprintf("the filter has more than %d bytes", longestFilter), "shorten it")
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return q, badFilter("the filter is not text")
	}
	words, err := splitFilter(text)
	if err != nil {
		return q, err
	}
	var plain []string
	for _, w := range words {
		name, value, named := strings.Cut(w.text, ":")
		if w.quoted || !named || !isName(name) {
			plain = append(plain, w.text)
			continue
		}
		if err := setFilter(&q, strings.ToLower(name), value, now, resolve); err != nil {
			return q, err
		}
	}
	q.Text = strings.Join(plain, " ")
	return q, nil
}

type filterWord struct {
	text   string
	quoted bool // began with a quote: a word, whatever is in it
}

// splitFilter cuts at spaces outside double quotes.
func splitFilter(text string) ([]filterWord, error) {
	var words []filterWord
	var b strings.Builder
	open, quotedStart, started := false, false, false
	end := func() {
		if started {
			words = append(words, filterWord{b.String(), quotedStart})
		}
		b.Reset()
		started, quotedStart = false, false
	}
	for _, r := range text {
		switch {
		case r == '"':
			if !started {
				quotedStart = true
			}
			open, started = !open, true
		case !open && (r == ' ' || r == '\t' || r == '\n' || r == '\r'):
			end()
		default:
			b.WriteRune(r)
			started = true
		}
	}
	if open {
		return nil, badFilter("a quote is not closed")
	}
	end()
	return words, nil
}

// isName reports that what stands before a colon names a part of an exchange; "https" does not.
func isName(s string) bool {
	return slices.Contains([]string{"kind", "status", "path", "store", "method", "topic", "door", "of", "since", "until", "text"}, strings.ToLower(s))
}

func setFilter(q *capture.Query, name, value string, now time.Time, resolve func(string) string) (err error) {
	if value == "" {
		return badFilter("%s: has no value", name)
	}
	switch name {
	case "kind":
		return setKinds(q, value)
	case "status":
		if _, _, err := capture.ParseStatus(value); err != nil {
			return badFilter(`status:%s is no status: write 404, 4xx, <400, >=500, or 0 for no answer`, value)
		}
		q.Status = value
	case "path":
		q.Path = value
	case "store":
		q.Store = resolve(value)
	case "method":
		q.Method = strings.ToUpper(value)
	case "topic":
		q.Topic = value
	case "text":
		q.Text = value
	case "door":
		return setDoor(q, value)
	case "of":
		if q.Of, err = strconv.ParseInt(value, 10, 64); err != nil || q.Of < 1 {
			return badFilter("of:%s is no number of an exchange", value)
		}
	case "since":
		q.Since, err = pointInTime(name, value, now)
	case "until":
		q.Until, err = pointInTime(name, value, now)
	}
	return err
}

func setKinds(q *capture.Query, value string) error {
	for word := range strings.SplitSeq(strings.ToLower(value), ",") {
		k, ok := kinds[word]
		if word == "replay" || word == "delivery" {
			q.Door = capture.Local
			continue
		}
		if !ok {
			return badFilter("kind:%s is not known: auth (install), load, uninstall, remove_user, webhook, api, token, replay, other", word)
		}
		q.Kinds = append(q.Kinds, k)
	}
	return nil
}

func setDoor(q *capture.Query, value string) error {
	q.Door = capture.Door(strings.ToLower(value))
	if !slices.Contains([]capture.Door{capture.Public, capture.API, capture.Local}, q.Door) {
		return badFilter("door:%s is not known: public, api, app", value)
	}
	return nil
}

// pointInTime reads an age (90m, 24h, 7d) or a time.
func pointInTime(name, value string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, strings.ToUpper(value)); err == nil {
		return at, nil
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 10_000 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if age, err := time.ParseDuration(value); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	return time.Time{}, badFilter("%s:%s is neither an age (90m, 24h, 7d) nor a time (2026-11-22T15:04:05Z)", name, value)
}

// queryOf reads a list's parameters: the named ones of the API, and the filter language in q.
func (w *window) queryOf(v url.Values) (capture.Query, error) {
	for name := range v {
		if !slices.Contains([]string{"kind", "store", "status", "path", "q", "before", "after", "limit", "as", "rows", "part", "ids", "key"}, name) {
			return capture.Query{}, refuse(http.StatusBadRequest, "unknown_parameter", fmt.Sprintf("there is no parameter %q", clipText(name, 40)),
				"the list takes kind, store, status, path, q, before, after and limit")
		}
	}
	q, err := parseFilter(v.Get("q"), w.o.Now(), w.resolve)
	if err != nil {
		return q, err
	}
	for _, name := range []string{"kind", "store", "status", "path"} {
		if value := v.Get(name); value != "" {
			if len(value) > longestFilter {
				return q, refuse(http.StatusBadRequest, "too_long", name+" is too long", "shorten it")
			}
			if err := setFilter(&q, name, value, w.o.Now(), w.resolve); err != nil {
				return q, err
			}
		}
	}
	for name, into := range map[string]*int64{"before": &q.Before, "after": &q.After} {
		if *into, err = number(v, name, 0, 1<<62); err != nil {
			return q, err
		}
	}
	limit, err := number(v, "limit", defaultPage, 1000)
	q.Limit = int(max(limit, 1))
	return q, err
}

func number(v url.Values, name string, absent, most int64) (int64, error) {
	text := v.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, refuse(http.StatusBadRequest, "bad_parameter", fmt.Sprintf("%s is no number from 0 to %d", name, most), "leave it out for the default")
	}
	return n, nil
}

// resolve finds the hash of a store by its alias; what it does not know stays as it is.
func (w *window) resolve(name string) string {
	for _, s := range w.o.Status().Stores {
		if s.Alias != "" && strings.EqualFold(s.Alias, name) {
			return s.Store
		}
	}
	return name
}
