package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Everybody's views: both colour schemes, on a phone and on a desk.
var views = []struct {
	name          string
	width, height int64
	scheme        string
}{
	{"light-1280", 1280, 900, "light"}, {"dark-1280", 1280, 900, "dark"},
	{"light-360", 360, 740, "light"}, {"dark-360", 360, 740, "dark"},
}

// violation is what axe finds wrong, with the places.
type violation struct {
	ID, Help string
	At       []string
}

// checkAccess has axe look at the view that is open, in every scheme and size, and takes a
// picture of each.
func (b *tab) checkAccess(name string) {
	b.t.Helper()
	axe, err := os.ReadFile(client(b.t, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	evaluate[bool](b, string(axe)+`; true`)
	for _, v := range views {
		b.viewport(v.width, v.height, v.scheme)
		found := evaluate[[]violation](b, `document.fonts.ready.then(() => Promise.all(document.getAnimations().map(a => a.finished.catch(() => {}))))
			.then(() => axe.run(document, `+rules(v.scheme)+`))
			.then(r => r.violations.map(v => ({id: v.id, help: v.help, at: v.nodes.map(n => n.target.join(' ') + ': ' + (n.any[0]?.message ?? n.failureSummary))})))`)
		for _, f := range found {
			b.t.Errorf("%s, %s: %s (%s) at\n%s", name, v.name, f.ID, f.Help, strings.Join(f.At, "\n"))
		}
		if wide := evaluate[int](b, `document.documentElement.scrollWidth`); int64(wide) > v.width {
			b.t.Errorf("%s, %s: the page is %d wide", name, v.name, wide)
		}
		if tall := evaluate[int](b, `document.querySelector('.split') ? document.documentElement.scrollHeight : 0`); v.width >= 900 && int64(tall) > v.height {
			b.t.Errorf("%s, %s: the page is %d high, though its parts scroll by themselves", name, v.name, tall)
		}
		b.picture(fmt.Sprintf("%s-%s", name, v.name))
	}
	b.viewport(1280, 900, "light")
}

// rules are axe's own, all of them; the dark scheme differs from the light one in colours alone.
func rules(scheme string) string {
	if scheme == "dark" {
		return `{resultTypes: ['violations'], runOnly: ['color-contrast', 'link-in-text-block']}`
	}
	return `{resultTypes: ['violations']}`
}

// waitFor asks again and again until something outside the browser has happened.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if happened() {
			return
		}
	}
	t.Fatalf("%s: did not come in %v", what, patience)
}
