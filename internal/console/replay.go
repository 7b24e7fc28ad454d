package console

import (
	"strings"

	"bcdev/capture"
	"bcdev/internal/redact"
)

// Replayed is what became of a replay.
type Replayed struct {
	Exchange    capture.Exchange // the attempt; only Of counts after a dry run
	DryRun      bool
	Sent        []byte   // the request as HTTP/1.1, secrets masked
	Verdict     string   // against the last attempt
	Resigned    []string // what was signed anew
	Differences []string // between what came and what is sent, in words
	Diff        string   // of the answers' bodies, unified
	Failed      string   // why the answer counts as a failure, "" when it is fine
	Brief       bool     // a table follows: say only what failed
}

// Replay tells how a replay went, or would go.
func (c *Console) Replay(r Replayed) {
	e := r.Exchange
	if c.o.JSON {
		if r.DryRun {
			c.event("dry_run", field{"of", e.Of}, field{"request", string(r.Sent)},
				field{"resigned", list(r.Resigned)}, field{"differences", list(r.Differences)})
			return
		}
		c.event("delivery", append(deliveryFields(e), field{"resigned", list(r.Resigned)},
			field{"differences", list(r.Differences)}, field{"diff", r.Diff}, field{"failed", r.Failed})...)
		return
	}
	s := c.sheet()
	if r.DryRun {
		s.put(strong, "would send").line()
		s.text(redact.TerminalText(string(r.Sent)))
		s.endLine()
		s.changes(r)
		c.toOut(s)
		return
	}
	if r.Brief && r.Failed == "" {
		return
	}
	s.delivery(c, e)
	if !r.Brief {
		s.changes(r)
		s.diff(r.Diff)
	}
	if r.Failed != "" {
		s.pad(s.at).put(bad, s.mark("✘")+" ").wrap(bad, s.at+2, r.Failed).line()
	}
	c.toOut(s)
}

// changes says in what the replay is not what came.
func (s *sheet) changes(r Replayed) {
	if len(r.Resigned) > 0 {
		s.pad(s.at).put(faint, "signed anew: ").put(plain, strings.Join(r.Resigned, ", ")).line()
	}
	for _, d := range r.Differences {
		s.pad(s.at).put(faint, s.mark("·")+" ").put(plain, d).line()
	}
}

// diff writes a unified diff, what came red, what went green.
func (s *sheet) diff(text string) {
	for each := range strings.Lines(text) {
		i := plain
		switch {
		case strings.HasPrefix(each, "@@"):
			i = link
		case strings.HasPrefix(each, "+"):
			i = good
		case strings.HasPrefix(each, "-"):
			i = bad
		}
		s.pad(s.at).put(i, strings.TrimRight(each, "\r\n")).line()
	}
}
