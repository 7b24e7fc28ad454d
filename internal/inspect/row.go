package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// row is an exchange as the list shows it. All its texts are escaped for people: nothing a
// stranger sent changes direction, hides, or has no width.
type row struct {
	ID      int64
	Shape   string // class of the kind's shape and colour
	Word    string // the kind in words
	Of      int64
	Method  string
	Path    string
	Query   string
	Topic   string
	Store   string
	Status  string
	Grade   string // class of the status
	Took    string
	Size    string
	At      time.Time
	Flags   []flag
	Link    string
	Current bool
}

// flag is one thing worth knowing, with its sign.
type flag struct {
	Sign, Words, Class string
}

// kindWords name the kinds for people.
var kindWords = map[capture.Kind]string{
	capture.Auth: "install", capture.Load: "load", capture.Uninstall: "uninstall", capture.RemoveUser: "remove user",
	capture.Hook: "webhook", capture.Call: "API call", capture.Token: "token", capture.Other: "other",
}

func wordOf(k capture.Kind) string {
	if word := kindWords[k]; word != "" {
		return word
	}
	return redact.Terminal(string(k))
}

// longestCell bounds a text in the list, in bytes.
const longestCell = 300

func rowOf(e capture.Exchange, filter string) row {
	path, query, _ := strings.Cut(maskedTarget(e), "?")
	if e.Store != "" && e.Door == capture.API {
		if rest, ok := strings.CutPrefix(path, "/stores/"+e.Store+"/"); ok {
			path = "/" + rest // the store has a place of its own
		}
	}
	r := row{
		ID: e.ID, Of: e.Of, Method: cell(e.Method), Path: cell(path), Query: cell(query), Topic: cell(e.Topic),
		Store: cell(e.Store), Took: tookWords(e.Took), Size: sizeWords(sizeOf(e)), At: e.At.UTC(), Flags: flagsOf(e),
		Link: linkTo(e.ID, filter),
	}
	if e.Door != capture.API {
		r.Query = "" // a callback's says the same every time
	}
	r.Shape, r.Word = shapeOf(e)
	r.Status, r.Grade = statusOf(e)
	return r
}

// maskedTarget is the request target without what a revealed exchange may hold.
func maskedTarget(e capture.Exchange) string {
	target, _ := redact.Target(e.Target)
	return target
}

func cell(s string) string { return redact.Terminal(clipText(s, longestCell)) }

// clipText shortens a text at a whole character.
func clipText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// shapeOf is the shape and the word of a kind. What bcdev brought to the app looks like a replay.
func shapeOf(e capture.Exchange) (shape, word string) {
	shape = string(e.Kind)
	if _, known := kindWords[e.Kind]; !known {
		shape = "other"
	}
	word = wordOf(e.Kind)
	switch {
	case e.Via == "replay":
		return "replay", "replay"
	case e.Via == "trigger":
		return "replay", "trigger"
	case e.Door == capture.Local:
		return "delivery", "delivery"
	case e.Via == "retry":
		return shape, "retry"
	}
	return shape, word
}

func statusOf(e capture.Exchange) (text, grade string) {
	switch {
	case e.Status == 0 && e.Err == "" && e.Took == 0:
		return "…", "open"
	case e.Status == 0:
		return "none", "s5"
	case e.Status >= 100 && e.Status <= 999:
		return strconv.Itoa(e.Status), "s" + strconv.Itoa(e.Status/100)
	}
	return strconv.Itoa(e.Status), "s5"
}

func sizeOf(e capture.Exchange) int64 {
	if e.Response.Size > 0 {
		return e.Response.Size
	}
	return e.Request.Size
}

// flagsOf are the marks of an exchange, in an order that does not depend on who set them.
func flagsOf(e capture.Exchange) []flag {
	var f []flag
	has := func(mark string) bool { return slices.Contains(e.Marks, mark) }
	switch {
	case has("signature:valid"):
		f = append(f, flag{"✔", "signature valid", "good"})
	case has("signature:invalid"):
		f = append(f, flag{"✘", "signature invalid", "bad"})
	case has("signature:absent"):
		f = append(f, flag{"?", "not signed", "warn"})
	}
	for _, m := range e.Marks {
		name, value, _ := strings.Cut(m, ":")
		switch name {
		case "signature", "invalid":
		case "duplicate":
			f = append(f, flag{"dup", "the same event came before", "warn"})
		case "retry":
			f = append(f, flag{"×" + cell(value), "sent again by BigCommerce", "warn"})
		case "repeat":
			f = append(f, flag{"again", "the browser asked again", "plain"})
		default:
			f = append(f, flag{cell(m), "mark: " + cell(m), "plain"})
		}
	}
	if e.Verdict != "" {
		class := map[string]string{"same": "plain", "fixed": "good", "regressed": "bad", "failing": "bad"}[e.Verdict]
		f = append(f, flag{cell(e.Verdict), "against the attempt before: " + cell(e.Verdict), class})
	}
	return f[:min(len(f), 8)]
}

func linkTo(id int64, filter string) string {
	link := "/exchanges/" + strconv.FormatInt(id, 10)
	if filter != "" {
		link += "?q=" + queryEscape(filter)
	}
	return link
}

// tookWords is a duration for people: milliseconds, from ten seconds on seconds.
func tookWords(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < time.Millisecond:
		return "<1 ms"
	case d < 10*time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

// sizeWords is a number of bytes in decimal units.
func sizeWords(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// msOf is the inverse of millis.
func msOf(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
