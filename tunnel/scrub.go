package tunnel

import (
	"context"
	"fmt"
	"log/slog"
)

// scrubber hands the library's log on without the token, which its error texts print, and all of
// it as diagnostics: what the user has to know is told by events.
type scrubber struct {
	next  slog.Handler
	scrub func(string) string
}

// Enabled reports whether diagnostics are wanted at all.
func (s scrubber) Enabled(ctx context.Context, _ slog.Level) bool {
	return s.next.Enabled(ctx, slog.LevelDebug)
}

// Handle hands a record on, scrubbed.
func (s scrubber) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, slog.LevelDebug, "ngrok: "+clean(s.scrub(r.Message)), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(s.attr(a))
		return true
	})
	return s.next.Handle(ctx, out)
}

// WithAttrs scrubs attributes that every record will have.
func (s scrubber) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = s.attr(a)
	}
	return scrubber{s.next.WithAttrs(clean), s.scrub}
}

// WithGroup keeps the names of groups as they are.
func (s scrubber) WithGroup(name string) slog.Handler {
	return scrubber{s.next.WithGroup(name), s.scrub}
}

func (s scrubber) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString, slog.KindAny:
		return slog.String(a.Key, clean(s.scrub(fmt.Sprint(v.Any()))))
	case slog.KindGroup:
		inner := make([]slog.Attr, 0, len(v.Group()))
		for _, g := range v.Group() {
			inner = append(inner, s.attr(g))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(inner...)}
	default:
		return slog.Attr{Key: a.Key, Value: v}
	}
}
