package capture

import (
	"slices"
	"strings"
	"testing"
)

func FuzzADiffTurnsOneSideIntoTheOther(f *testing.F) {
	f.Add("a b c", "a x c y")
	f.Add("", "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 2000 {
			t.Skip()
		}
		var olds, news []string
		for _, e := range CompareLines(strings.Fields(a), strings.Fields(b)) {
			if e.Op != '+' {
				olds = append(olds, e.Line)
			}
			if e.Op != '-' {
				news = append(news, e.Line)
			}
		}
		if !slices.Equal(olds, strings.Fields(a)) || !slices.Equal(news, strings.Fields(b)) {
			t.Errorf("%q and %q became %q and %q", a, b, olds, news)
		}
	})
}
