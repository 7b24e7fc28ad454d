package console

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Problem says that something is wrong and what to do: on standard error, or with JSON as an
// event. The code is stable.
func (c *Console) Problem(code string, err error) {
	if err == nil {
		return
	}
	if c.event("problem", field{"code", code}, field{"message", err.Error()}, field{"hint", hintOf(err)}) {
		return
	}
	s := c.errSheet()
	s.explain(err)
	c.toErr(s)
}

// Explain writes err for a person: "bcdev: …", then "bcdev: hint: …" for every error in its
// chain that knows what to do. It is meant for the one place that prints errors.
func Explain(w io.Writer, err error, coloured bool) {
	if err == nil {
		return
	}
	s := &sheet{inks: newInks(coloured)}
	s.explain(err)
	_, _ = io.WriteString(w, s.b.String())
}

func (s *sheet) explain(err error) {
	for line := range strings.Lines(err.Error()) {
		s.put(bad, "bcdev: ").put(plain, strings.TrimRight(line, "\r\n")).line()
	}
	for line := range strings.Lines(hintOf(err)) {
		s.put(warn, "bcdev: hint: ").put(plain, strings.TrimRight(line, "\r\n")).line()
	}
}

// hintOf returns the hint of the outermost error that has one. Joined errors are all asked.
func hintOf(err error) string {
	var helper interface{ Hint() string }
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var hints []string
		for _, each := range joined.Unwrap() {
			if h := hintOf(each); h != "" {
				hints = append(hints, h)
			}
		}
		return strings.Join(hints, "\n")
	}
	if errors.As(err, &helper) {
		return helper.Hint()
	}
	return ""
}

// Decide says whether to colour what goes to out and how wide it is. Colour needs a terminal,
// no flag and no NO_COLOR against it (no-color.org: set and not empty), and a TERM that is not
// dumb. The width is 0 when out is no terminal.
func Decide(out *os.File, env []string, noColor bool) (coloured bool, width int) {
	if out == nil || !term.IsTerminal(int(out.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(out.Fd()))
	if err != nil || width < 1 {
		width = 80
	}
	return wantsColour(env, noColor), width
}

func wantsColour(env []string, noColor bool) bool {
	return !noColor && lookup(env, "NO_COLOR") == "" && lookup(env, "TERM") != "dumb"
}

// UTF8 reports whether the environment's locale can show marks beyond ASCII. Where no locale is
// set, as on Windows, it can.
func UTF8(env []string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(lookup(env, name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}

// lookup returns the last value of a name, as the operating system does.
func lookup(env []string, name string) string {
	value := ""
	for _, pair := range env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}
