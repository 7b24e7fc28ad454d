package vault

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
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

func TestWhichStoreIsCurrent(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Options{Dir: dir})
	if _, err := v.Current(); !errors.Is(err, ErrNoGrant) {
		t.Errorf("no store: %v", err)
	}
	put(t, v, grantOf("aaa111", tokenA))
	if hash, err := v.Current(); hash != "aaa111" {
		t.Errorf("one store: %q %v", hash, err)
	}
	put(t, v, grantOf("bbb222", tokenB))
	if hash, err := v.Current(); !errors.Is(err, ErrWhichStore) {
		t.Errorf("two stores: %q %v", hash, err)
	}
	if err := v.Alias("bbb222", "dev"); err != nil {
		t.Fatal(err)
	}
	if err := v.Use("dev"); err != nil {
		t.Fatal(err)
	}
	if hash, err := v.Current(); hash != "bbb222" {
		t.Errorf("after Use: %q %v", hash, err)
	}
	pinned := open(t, Options{Dir: dir, Default: "aaa111"})
	if hash, err := pinned.Current(); hash != "aaa111" {
		t.Errorf("with proxy.store: %q %v", hash, err)
	}
	if err := pinned.Use("dev"); !errors.Is(err, ErrPinned) {
		t.Errorf("Use against proxy.store: %v", err)
	}
	absent := open(t, Options{Dir: dir, Default: "ccc333"})
	if hash, err := absent.Current(); !errors.Is(err, ErrNoGrant) {
		t.Errorf("with a proxy.store nobody installed: %q %v", hash, err)
	}
}

func TestAliases(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir(), Static: []Static{{Store: "sss999", Alias: "live", Token: "static-token-sss999"}}})
	put(t, v, grantOf("aaa111", tokenA), grantOf("bbb222", tokenB))
	for _, c := range []struct {
		store, alias string
		want         error
	}{
		{"aaa111", "dev", nil},
		{"bbb222", "dev", ErrAlias},
		{"bbb222", "aaa111", ErrAlias},
		{"bbb222", "live", ErrAlias},
		{"bbb222", "../x", ErrAlias},
		{"bbb222", "a\x1b[2J", ErrAlias},
		{"zzz", "dev", ErrNoGrant},
		{"live", "shop", nil},
	} {
		if err := v.Alias(c.store, c.alias); !errors.Is(err, c.want) {
			t.Errorf("Alias(%q, %q) = %v, want %v", c.store, c.alias, err, c.want)
		}
	}
	if hash, ok := v.Resolve("shop"); hash != "sss999" || !ok {
		t.Errorf("Resolve(shop) = %q %v", hash, ok)
	}
	if hash, ok := v.Resolve("nobody"); ok {
		t.Errorf("Resolve(nobody) = %q", hash)
	}
	put(t, v, grantOf("dev", "token-of-a-store-called-dev"))
	if hash, _ := v.Resolve("dev"); hash != "dev" {
		t.Errorf("an alias took the place of store dev: %q", hash)
	}
}

func TestAGrantGoesBeforeAStaticTokenAndReadOnlyHolds(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir(), Static: []Static{{Store: "aaa111", Alias: "dev", Token: "static-token-aaa111", ReadOnly: true}}})
	if got := token(t, v, "dev"); got != "static-token-aaa111" {
		t.Errorf("before the install: %q", got)
	}
	if err := v.Forget("dev"); !errors.Is(err, ErrStatic) {
		t.Errorf("forgetting a static token: %v", err)
	}
	put(t, v, grantOf("aaa111", tokenA))
	if got := token(t, v, "dev"); got != tokenA {
		t.Errorf("after the install: %q", got)
	}
	if e := v.Stores(); len(e) != 1 || !e[0].ReadOnly || e[0].Static || e[0].Alias != "dev" || !e[0].Current {
		t.Errorf("Stores() = %+v", e)
	}
	if err := v.Forget("dev"); err != nil {
		t.Fatal(err)
	}
	if got := token(t, v, "dev"); got != "static-token-aaa111" {
		t.Errorf("after the uninstall: %q", got)
	}
}

func TestSealedThingsOpenInALaterProcessOnly(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Options{Dir: dir})
	sealed, err := v.Seal([]byte("a code"))
	if err != nil || bytes.Contains(sealed, []byte("a code")) {
		t.Fatalf("sealed %q, %v", sealed, err)
	}
	if plain, err := open(t, Options{Dir: dir}).Unseal(sealed); string(plain) != "a code" {
		t.Errorf("Unseal = %q, %v", plain, err)
	}
	if _, err := open(t, Options{Dir: t.TempDir()}).Unseal(sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another vault's Unseal: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := v.Unseal(sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("a changed byte: %v", err)
	}
	if _, err := v.Unseal(nil); !errors.Is(err, ErrSealed) {
		t.Errorf("nothing: %v", err)
	}
}

func TestAuthorize(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir(), Hosts: []string{"api.bigcommerce.com", "127.0.0.1:7080"}})
	put(t, v, grantOf("aaa111", tokenA), grantOf("bbb222", tokenB))
	for _, c := range []struct{ name, url, host, want string }{
		{"the store of the path", "https://api.bigcommerce.com/stores/aaa111/v3/catalog/products?include=images", "", tokenA},
		{"the other store", "https://API.bigcommerce.com:443/stores/bbb222/v2/orders", "api.bigcommerce.com", tokenB},
		{"a sandbox on loopback", "http://127.0.0.1:7080/stores/aaa111/v3/x", "", tokenA},
		{"a percent sign in a name", "https://api.bigcommerce.com/stores/aaa111/v3/x/100%25", "", tokenA},
		{"plain http", "http://api.bigcommerce.com/stores/aaa111/v3/x", "", ""},
		{"another host", "https://evil.example/stores/aaa111/v3/x", "", ""},
		{"a host that begins like ours", "https://api.bigcommerce.com.evil.example/stores/aaa111/v3/x", "", ""},
		{"another port", "https://api.bigcommerce.com:8443/stores/aaa111/v3/x", "", ""},
		{"another loopback port", "http://127.0.0.1:9/stores/aaa111/v3/x", "", ""},
		{"another Host header", "https://api.bigcommerce.com/stores/aaa111/v3/x", "evil.example", ""},
		{"a user in the URL", "https://me@api.bigcommerce.com/stores/aaa111/v3/x", "", ""},
		{"a store nobody knows", "https://api.bigcommerce.com/stores/ccc333/v3/x", "", ""},
		{"no store", "https://api.bigcommerce.com/v3/x", "", ""},
		{"upper case", "https://api.bigcommerce.com/stores/AAA111/v3/x", "", ""},
		{"climbing out", "https://api.bigcommerce.com/stores/aaa111/../bbb222/v3/x", "", ""},
		{"climbing out, encoded", "https://api.bigcommerce.com/stores/aaa111/%2e%2e/bbb222/v3/x", "", ""},
		{"a hidden slash", "https://api.bigcommerce.com/stores/aaa111/..%2fbbb222/v3/x", "", ""},
		{"encoded twice", "https://api.bigcommerce.com/stores/aaa111/%252e%252e%252fbbb222/v3/x", "", ""},
		{"a backslash", "https://api.bigcommerce.com/stores/aaa111/..%5cbbb222/v3/x", "", ""},
		{"a path parameter", "https://api.bigcommerce.com/stores/aaa111/..;/bbb222/v3/x", "", ""},
		{"an encoded hash", "https://api.bigcommerce.com/stores/%61aa111/v3/x", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				r.Host = c.host
			}
			r.Header.Set("X-Auth-Token", "the client's own")
			err = v.Authorize(r)
			if got := r.Header.Get("X-Auth-Token"); got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("X-Auth-Token = %q, err %v; want %q", got, err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), tokenA) || hint(err) == "") {
				t.Errorf("error %q, hint %q", err, hint(err))
			}
		})
	}
}

func TestGrantsThatAreNone(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir()})
	for _, g := range []bigcommerce.Grant{grantOf("", tokenA), grantOf("../x", tokenA), grantOf("aaa111", "")} {
		if err := v.Put(g); err == nil || hint(err) == "" {
			t.Errorf("Put(%q) = %v", g.Store, err)
		}
	}
	if s := v.Stores(); len(s) != 0 {
		t.Errorf("Stores() = %+v", s)
	}
	sealed, err := v.Seal([]byte("x")) // after a refused Put, the key is still one that lasts
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := open(t, Options{Dir: filepath.Dir(v.file.path)}).Unseal(sealed); string(plain) != "x" {
		t.Errorf("Unseal = %q, %v", plain, err)
	}
}
