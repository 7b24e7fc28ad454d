package inspect

import (
	"slices"
	"strings"

	"bcdev/capture"
)

// matches tells whether an exchange that has just been stored or changed belongs to a list. It
// says the same as the journal's own search, without asking it for every event.
func matches(q capture.Query, e capture.Exchange) bool {
	path, _, _ := strings.Cut(e.Target, "?")
	switch {
	case q.Door != "" && e.Door != q.Door,
		len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind),
		q.Store != "" && e.Store != q.Store,
		q.Method != "" && e.Method != q.Method,
		q.Of != 0 && e.Of != q.Of,
		q.Before != 0 && e.ID >= q.Before,
		!q.Since.IsZero() && e.At.Before(q.Since),
		!q.Until.IsZero() && !e.At.Before(q.Until):
		return false
	}
	if q.Status != "" {
		low, high, err := capture.ParseStatus(q.Status)
		if err != nil || e.Status < low || e.Status > high {
			return false
		}
	}
	if q.Path != "" {
		if strings.HasPrefix(q.Path, "/") && !strings.HasPrefix(e.Target, q.Path) || !contains(path, q.Path) && !strings.HasPrefix(q.Path, "/") {
			return false
		}
	}
	if q.Topic != "" && !matchesTopic(q.Topic, e.Topic) {
		return false
	}
	return q.Text == "" || contains(e.Target, q.Text) || contains(e.Topic, q.Text) || contains(e.Hint, q.Text) || contains(e.Err, q.Text)
}

// contains folds ASCII letters, as SQLite's LIKE does.
func contains(text, part string) bool {
	return strings.Contains(lower(text), lower(part))
}

func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// matchesTopic compares with a pattern in which * stands for at least one character.
func matchesTopic(pattern, topic string) bool {
	pattern, topic = lower(pattern), lower(topic)
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == topic
	}
	rest, ok := strings.CutPrefix(topic, parts[0])
	if !ok {
		return false
	}
	for i, part := range parts[1:] {
		last := i == len(parts)-2
		if rest == "" {
			return false
		}
		if last {
			return len(rest) > len(part) && strings.HasSuffix(rest, part)
		}
		at := strings.Index(rest[1:], part)
		if at < 0 {
			return false
		}
		rest = rest[1+at+len(part):]
	}
	return true
}
