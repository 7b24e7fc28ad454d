package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bcdev/internal/redact"
)

// Problem is one thing wrong with the configuration. Its texts never hold a secret, nor a value
// that came out of the environment.
type Problem struct {
	Key  string // "proxy.listen", "stores[0].hash"; "" for the file as a whole
	Line int    // 0 when it did not come from the file
	File string
	Text string
	Next string // what to do about it
	Code string // stable: "unknown_key", "bad_header", …
}

func (p Problem) String() string {
	var b strings.Builder
	switch {
	case p.File != "" && p.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", p.File, p.Line)
	case p.File != "":
		fmt.Fprintf(&b, "%s: ", p.File)
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return redact.Terminal(b.String() + p.Text)
}

// Problems is everything wrong with the configuration, in the order of the file.
type Problems []Problem

// Error lists every problem, one a line.
func (p Problems) Error() string {
	if len(p) == 1 {
		return p[0].String()
	}
	lines := []string{fmt.Sprintf("%d problems in the configuration", len(p))}
	for _, one := range p {
		lines = append(lines, "  "+one.String())
	}
	return strings.Join(lines, "\n")
}

// Hint says what to do next, each advice once.
func (p Problems) Hint() string {
	var next []string
	for _, one := range p {
		if one.Next != "" && !slices.Contains(next, one.Next) {
			next = append(next, one.Next)
		}
	}
	return redact.Terminal(strings.Join(next, "; "))
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
}
