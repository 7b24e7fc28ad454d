// Package console tells the developer what happens: one event, one write, either for a person or
// as NDJSON.
//
// The rules of this package: standard output is the product, standard error is for notes and
// problems. With JSON standard output is NDJSON and nothing else. Everything that is written in
// words goes through a [sheet], which escapes all it is given, so no control character of a
// stranger reaches the terminal. Tokens are shown as their last four characters.
package console

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"bcdev/internal/redact"
)

// Options of a console. Out and Err may be nil, which discards.
type Options struct {
	Out, Err    io.Writer
	JSON        bool
	Color       bool             // of Out; decided by the caller, see [Decide]
	ErrColor    bool             // of Err, likewise: the two may go to different places
	ASCII       bool             // no marks beyond ASCII, see [UTF8]
	Width       int              // columns of the terminal; 0 when there is none: nothing is cut
	Verbose     bool             // say more than what changed
	Location    *time.Location   // of the times shown; nil means local time
	Now         func() time.Time // nil means time.Now
	Interactive bool             // Out is a terminal that a person reads
}

// Console writes events. It is safe for concurrent use, and a failing writer never stops its
// caller: the first failure is kept for [Console.Err] and everything after it is dropped.
type Console struct {
	o       Options
	inks    inks // of Out
	errInks inks

	mu  sync.Mutex
	err error
}

// New returns a console.
func New(o Options) *Console {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Err == nil {
		o.Err = io.Discard
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Console{o: o, inks: newInks(o.Color), errInks: newInks(o.ErrColor)}
}

// Err returns the first failure to write to Out, a broken pipe for example, or nil.
func (c *Console) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Notef says something on the side: on standard error, in words, also with JSON.
func (c *Console) Notef(format string, a ...any) {
	s := c.errSheet()
	for line := range strings.Lines(fmt.Sprintf(format, a...)) {
		s.put(faint, "bcdev: ").put(plain, strings.TrimRight(line, "\r\n")).line()
	}
	c.toErr(s)
}

// Print writes text of ours as it is. On a terminal its control characters are escaped, line
// ends and tabs excepted, because it may quote a stranger.
func (c *Console) Print(text string) {
	if c.o.Interactive {
		text = redact.TerminalText(text)
	}
	c.write(text)
}

func (c *Console) sheet() *sheet {
	return &sheet{inks: c.inks, ascii: c.o.ASCII, width: c.o.Width, at: colText, val: colValue}
}

// errSheet is a sheet for standard error, which has colours and a width of its own.
func (c *Console) errSheet() *sheet { return &sheet{inks: c.errInks, ascii: c.o.ASCII} }

func (c *Console) toOut(s *sheet) { c.write(s.b.String()) }

// toErr does not remember failures: a closed standard error is no reason to end anything.
func (c *Console) toErr(s *sheet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.o.Err, s.b.String())
}

func (c *Console) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || text == "" {
		return
	}
	_, c.err = io.WriteString(c.o.Out, text)
}

// escape is the one place where a stranger's text becomes text for a terminal.
func escape(s string) string { return redact.Terminal(s) }
