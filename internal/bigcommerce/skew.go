package bigcommerce

import (
	"fmt"
	"strings"
	"time"
)

// SkewWords tells the times of a payload against the local clock: "issued 3 s ago, valid for
// 23 h 59 m", or "issued 12 s in the future: your clock is behind".
func SkewWords(p Payload, now time.Time) string {
	var words []string
	switch ahead := p.IssuedAt.Sub(now); {
	case p.IssuedAt.IsZero():
		words = append(words, "issued at an unknown time")
	case ahead >= time.Second:
		return fmt.Sprintf("issued %s in the future: your clock is behind", Words(ahead))
	case ahead > -time.Second:
		words = append(words, "issued just now")
	default:
		words = append(words, "issued "+Words(-ahead)+" ago")
	}
	switch left := p.ExpiresAt.Sub(now); {
	case p.ExpiresAt.IsZero():
		words = append(words, "never expires")
	case left > 0:
		words = append(words, "valid for "+Words(left))
	default:
		words = append(words, "expired "+Words(-left)+" ago")
	}
	return strings.Join(words, ", ")
}

// Words writes a duration in its two largest units, rounded down: "23 h 59 m", "3 s", "2 d".
func Words(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		words := fmt.Sprintf("%d %s", d/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				words += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return words
	}
	return ""
}
