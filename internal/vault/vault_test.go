package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/redact"

	"github.com/zalando/go-keyring"
)

const (
	tokenA = "tokenofaaa111-nc7x2h5q"
	tokenB = "tokenofbbb222-kq0m4w8z"
)

// fakeRing is a keyring in memory. Its zero value is an empty, working one.
type fakeRing struct {
	mu     sync.Mutex
	kept   map[string]string
	broken error
	hangs  chan struct{}
}

func (k *fakeRing) Get(service, user string) (string, error) {
	if k.hangs != nil {
		<-k.hangs
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken != nil {
		return "", k.broken
	}
	if p, ok := k.kept[service+"/"+user]; ok {
		return p, nil
	}
	return "", keyring.ErrNotFound
}

func (k *fakeRing) Set(service, user, password string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken != nil {
		return k.broken
	}
	if k.kept == nil {
		k.kept = map[string]string{}
	}
	k.kept[service+"/"+user] = password
	return nil
}

func open(t *testing.T, o Options) *Vault {
	t.Helper()
	if o.Keyring == nil {
		o.NoKeyring = true
	}
	if o.Hosts == nil {
		o.Hosts = []string{"api.bigcommerce.com"}
	}
	v, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func grantOf(store, token string) bigcommerce.Grant {
	return bigcommerce.Grant{
		Store: store, Context: "stores/" + store, Scopes: []string{"store_v2_products", "store_v2_default"},
		User: bigcommerce.User{ID: 7, Email: "me@example.com"}, Token: redact.Secret(token),
		At: time.Date(2026, 11, 22, 21, 0, 0, 0, time.UTC), Answer: redact.Secret(`{"access_token":"` + token + `"}`),
	}
}

func put(t *testing.T, v *Vault, grants ...bigcommerce.Grant) {
	t.Helper()
	for _, g := range grants {
		if err := v.Put(g); err != nil {
			t.Fatal(err)
		}
	}
}

func token(t *testing.T, v *Vault, name string) string {
	t.Helper()
	s, err := v.Token(name)
	if err != nil {
		t.Fatalf("Token(%q): %v", name, err)
	}
	return s.Reveal()
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestAGrantSurvivesARestart(t *testing.T) {
	for name, ring := range map[string]*fakeRing{"in the keyring": {}, "in the file": {broken: errors.New(`exec: "dbus-launch": not found`)}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			v := open(t, Options{Dir: dir, Keyring: ring})
			if err := v.PutFor("the-code", grantOf("aaa111", tokenA)); err != nil {
				t.Fatal(err)
			}
			where := v.Where()
			_ = v.Close()

			v = open(t, Options{Dir: dir, Keyring: ring})
			if got := token(t, v, "aaa111"); got != tokenA {
				t.Errorf("token after a restart: %s", got)
			}
			g, ok := v.Spent("the-code")
			if !ok || g.Answer.Reveal() != `{"access_token":"`+tokenA+`"}` || g.Token != tokenA || g.Context != "stores/aaa111" {
				t.Errorf("Spent after a restart: %v %+v", ok, g)
			}
			if _, ok := v.Spent("another-code"); ok {
				t.Error("a code nobody spent is known")
			}
			want := filepath.Join(dir, "vault.json")
			if ring.broken == nil {
				want = "the system keyring"
			}
			if v.Where() != want || where != want {
				t.Errorf("Where() = %q before and %q after, want %q", where, v.Where(), want)
			}
		})
	}
}

func TestS06TheFileShowsNoTokenAndNoCode(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Options{Dir: dir, Keyring: &fakeRing{}})
	if err := v.PutFor("k3b9x0q2m5w7", grantOf("aaa111", tokenA)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "vault.json"))
	if err != nil || !bytes.Contains(text, []byte("aaa111")) {
		t.Fatalf("the file: %v %s", err, text)
	}
	for _, secret := range []string{tokenA, "k3b9x0q2m5w7", "raw"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the file holds %q", secret)
		}
	}
}

func TestADamagedFileIsAnErrorAndStays(t *testing.T) {
	whole := t.TempDir()
	put(t, open(t, Options{Dir: whole}), grantOf("aaa111", tokenA))
	good, _ := os.ReadFile(filepath.Join(whole, "vault.json"))
	for name, text := range map[string]string{
		"empty":          "",
		"cut off":        string(good[:len(good)/2]),
		"another thing":  "[1,2]",
		"no key":         `{"version":1}`,
		"a short key":    `{"version":1,"key":{"raw":"AAAA"}}`,
		"a newer form":   strings.Replace(string(good), `"version": 1`, `"version": 99`, 1),
		"an empty grant": `{"version":1,"key":{"raw":"` + encodeKey(make([]byte, 32)) + `"},"grants":{"aaa111":null}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "vault.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(Options{Dir: dir, NoKeyring: true})
			var bad *FileError
			if !errors.As(err, &bad) || bad.Hint() == "" {
				t.Fatalf("err = %v", err)
			}
			if left, _ := os.ReadFile(path); string(left) != text {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAFileDamagedUnderARunningVaultIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Options{Dir: dir})
	put(t, v, grantOf("aaa111", tokenA))
	path := filepath.Join(dir, "vault.json")
	if err := os.WriteFile(path, []byte("{oops"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.Put(grantOf("bbb222", tokenB)); !errors.Is(err, ErrDamaged) {
		t.Errorf("Put: %v", err)
	}
	if left, _ := os.ReadFile(path); string(left) != "{oops" {
		t.Errorf("the file is now %q", left)
	}
	_ = v.Stores() // does not panic
}

func TestAGrantSealedUnderAnotherKeyIsAnError(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, Options{Dir: dir}), grantOf("aaa111", tokenA))
	path := filepath.Join(dir, "vault.json")
	text, _ := os.ReadFile(path)
	at := bytes.Index(text, []byte(`"raw": "`)) + len(`"raw": "`)
	copy(text[at:], encodeKey(make([]byte, 32)))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	v := open(t, Options{Dir: dir})
	if _, err := v.Token("aaa111"); !errors.Is(err, ErrDamaged) || !errors.Is(err, ErrSealed) {
		t.Errorf("err = %v", err)
	}
}

func TestAKeyringThatLostTheKeyIsAnErrorWithAHint(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, Options{Dir: dir, Keyring: &fakeRing{}}), grantOf("aaa111", tokenA))
	_, err := Open(Options{Dir: dir, Keyring: &fakeRing{}})
	if !errors.Is(err, keyring.ErrNotFound) || !strings.Contains(hint(err), "unlock the keyring") {
		t.Errorf("err = %v, hint %q", err, hint(err))
	}
}

func TestAKeyringThatHangsIsNoKeyring(t *testing.T) {
	hangs := make(chan struct{})
	defer close(hangs)
	r := newRing(&fakeRing{hangs: hangs})
	r.limit = time.Millisecond
	if r.works() {
		t.Error("a keyring that does not answer works")
	}
}

func TestAnotherProcessSChangesAreSeen(t *testing.T) {
	dir := t.TempDir()
	here, there := open(t, Options{Dir: dir}), open(t, Options{Dir: dir})
	put(t, here, grantOf("aaa111", tokenA))
	if got := token(t, there, "aaa111"); got != tokenA {
		t.Errorf("token = %q", got)
	}
	put(t, there, grantOf("aaa111", "a-fresh-token-of-aaa111"))
	if got := token(t, here, "aaa111"); got != "a-fresh-token-of-aaa111" {
		t.Errorf("after a fresh install: %q", got)
	}
	if err := there.Forget("aaa111"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Token("aaa111"); !errors.Is(err, ErrNoGrant) {
		t.Errorf("after the uninstall: %v", err)
	}
	if !slices.Contains(here.Known(), tokenA) {
		t.Error("a replaced token is no longer scrubbed")
	}
}

func TestWritersOfSeveralVaultsLoseNothing(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for n := range 4 {
		v := open(t, Options{Dir: dir})
		all.Go(func() {
			for i := range 5 {
				if err := v.Put(grantOf(fmt.Sprintf("store%d%d", n, i), fmt.Sprintf("token-%d-%d-xxxxxxxx", n, i))); err != nil {
					t.Error(err)
				}
				_, _ = v.Current()
			}
		})
	}
	all.Wait()
	v := open(t, Options{Dir: dir})
	if n := len(v.Stores()); n != 20 {
		t.Errorf("%d stores, want 20", n)
	}
	if got := token(t, v, "store34"); got != "token-3-4-xxxxxxxx" {
		t.Errorf("token = %q", got)
	}
}

func TestOnlyTheLast200CodesAreKept(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir()})
	err := v.change(func(s *state) error {
		for i := range 205 {
			if err := v.remember(s, fmt.Sprint("code", i), grantOf("aaa111", tokenA)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, first := v.Spent("code4")
	_, last := v.Spent("code5")
	if first || !last {
		t.Errorf("code4 known: %v, code5 known: %v", first, last)
	}
}

func TestForgettingAStoreForgetsItsCodes(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir()})
	if err := v.PutFor("a-code", grantOf("aaa111", tokenA)); err != nil {
		t.Fatal(err)
	}
	if err := v.PutFor("b-code", grantOf("bbb222", tokenB)); err != nil {
		t.Fatal(err)
	}
	if err := v.Forget("aaa111"); err != nil {
		t.Fatal(err)
	}
	_, a := v.Spent("a-code")
	_, b := v.Spent("b-code")
	if a || !b {
		t.Errorf("the forgotten store's code: %v, the other's: %v", a, b)
	}
	if err := v.Forget("aaa111"); !errors.Is(err, ErrNoGrant) {
		t.Errorf("forgetting twice: %v", err)
	}
}

func TestS05AWriterThatCannotGetTheLockSaysSo(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir()})
	put(t, v, grantOf("aaa111", tokenA))
	unlock, err := v.file.lock() // as another process would
	if err != nil {
		t.Fatal(err)
	}
	v.file.wait = 0
	if err := v.Put(grantOf("bbb222", tokenB)); !errors.Is(err, errLocked) || !strings.Contains(hint(err), "another bcdev") {
		t.Errorf("err = %v, hint %q", err, hint(err))
	}
	if got := token(t, v, "aaa111"); got != tokenA {
		t.Errorf("reading meanwhile: %q", got)
	}
	unlock()
	put(t, v, grantOf("bbb222", tokenB))
}
