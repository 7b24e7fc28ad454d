package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// tab is one tab of a headless Chromium of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// openTab starts a browser. flags are pairs of a switch's name and its value.
func openTab(t *testing.T, flags ...string) *tab {
	t.Helper()
	o := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium(t)), chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("lang", "en-US"), chromedp.Flag("no-proxy-server", true),
	}
	if os.Getuid() == 0 {
		o = append(o, chromedp.NoSandbox) // Chromium's own sandbox refuses to run for root
	}
	for i := 0; i+1 < len(flags); i += 2 {
		o = append(o, chromedp.Flag(flags[i], flags[i+1]))
	}
	ctx, cancel := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(o...),
		chromedp.WithErrorf(func(string, ...any) {})) // protocol news that this library does not know yet
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return &tab{t, ctx}
}

// chromium is the program that CHROMIUM names, else one of the usual names.
func chromium(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("CHROMIUM"); name != "" {
		return name
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium: apt-get install chromium, or e2e/run")
	return ""
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("in the browser: %v", err)
	}
}

// open goes to a page; a page that answers with an error status counts as open.
func (b *tab) open(page string) {
	b.t.Helper()
	b.do(chromedp.Navigate(page))
}

// evaluate runs an expression in the page, waits for its promise, and decodes the value.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := tryEvaluate[T](b, expression)
	if err != nil {
		b.t.Fatalf("in the page: %s: %v", brief(expression), err)
	}
	return v
}

func tryEvaluate[T any](b *tab, expression string) (v T, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(raw, &v)
}

// until waits for an expression to become true, over reloads and navigations.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	waiting := fmt.Sprintf(`new Promise((yes, no) => {
		const late = performance.now() + 3000
		const look = () => { try { if (%s) return yes(true) } catch {} ; performance.now() > late ? yes(false) : setTimeout(look, 20) }
		look()
	})`, expression)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if ok, err := tryEvaluate[bool](b, waiting); ok && err == nil {
			return
		}
		if b.ctx.Err() != nil {
			break
		}
	}
	b.t.Fatalf("%s: did not come in %v; the page:\n%s", what, patience, b.text())
}

// text is what the page shows.
func (b *tab) text() string {
	text, err := tryEvaluate[string](b, `document.body ? document.body.innerText : ""`)
	if err != nil {
		return err.Error()
	}
	return text
}

// viewport sets the size of the page and the colour scheme the reader prefers.
func (b *tab) viewport(width, height int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatalf("choosing the %s scheme: %v", scheme, err)
	}
}

// picture saves what the whole page looks like, for people to look at.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("BCDEV_E2E_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("taking a picture: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(b)
}

func brief(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return s
}
