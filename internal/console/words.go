package console

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"
)

// pathOf is the path of an exchange as the API documentation writes it, and its query. The
// store's prefix goes, because the store has a field of its own.
func pathOf(e capture.Exchange) (path, query string) {
	target, _ := redact.Target(e.Target) // what was sealed may stand here again
	path, query, _ = strings.Cut(originForm(target), "?")
	if e.Store != "" && e.Door == capture.API {
		if rest, ok := strings.CutPrefix(path, "/stores/"+e.Store+"/"); ok {
			path = "/" + rest
		}
	}
	return path, query
}

func targetOf(e capture.Exchange) string {
	path, query := pathOf(e)
	if query != "" {
		return path + "?" + query
	}
	return path
}

// briefly is method and path; the query too where it is the developer's own.
func briefly(e capture.Exchange) string {
	if e.Door == capture.API {
		return strings.TrimSpace(e.Method + " " + targetOf(e))
	}
	path, _ := pathOf(e)
	return strings.TrimSpace(e.Method + " " + path)
}

// originForm leaves out scheme and host of a target in absolute form.
func originForm(target string) string {
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute || strings.HasPrefix(target, "/") {
		return target
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[i:]
	}
	return "/"
}

func storeOf(e capture.Exchange, hash string) string {
	if hash != "" {
		return hash
	}
	return e.Store
}

func hasMark(e capture.Exchange, mark string) bool { return slices.Contains(e.Marks, mark) }

// signatureWord is "valid", "absent" or "invalid".
func signatureWord(err error) string {
	var s *bigcommerce.SignatureError
	switch {
	case err == nil:
		return "valid"
	case errors.As(err, &s) && s.Cause == "absent":
		return "absent"
	}
	return "invalid"
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// person names a user: e-mail, else name, and the number.
func person(u bigcommerce.User) string {
	name := u.Email
	if name == "" {
		name = u.Username
	}
	if u.ID == 0 {
		return name
	}
	return strings.TrimSpace(name + " (" + strconv.FormatInt(u.ID, 10) + ")")
}

func millis(d time.Duration) int64 { return d.Milliseconds() }

// stamp is a point in time for machines: UTC, whole seconds; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// took is a duration of an exchange: milliseconds, from ten seconds on seconds.
func took(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 ms"
	case d < time.Millisecond:
		return "<1 ms"
	case d < 10*time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

// age is a span in the largest units that matter to a person.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "moments"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// size is a number of bytes in decimal units.
func size(n int64) string {
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
