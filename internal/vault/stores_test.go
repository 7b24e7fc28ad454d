package vault

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"bcdev/internal/bigcommerce"
)

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
		{"encoded twice, two steps up", "https://api.bigcommerce.com/stores/aaa111/v3/%252e%252e/%252e%252e/bbb222/v3/x", "", ""},
		{"encoded twice, within the store", "https://api.bigcommerce.com/stores/aaa111/v3/%252e%252e/x", "", tokenA},
		{"encoded five times", "https://api.bigcommerce.com/stores/aaa111/v3/%2525252541", "", ""},
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

func TestAuthorizeReadsAPathThatIsSentAsItWasWritten(t *testing.T) {
	v := open(t, Options{Dir: t.TempDir(), Hosts: []string{"api.bigcommerce.com"}})
	put(t, v, grantOf("aaa111", tokenA), grantOf("bbb222", tokenB))
	for path, want := range map[string]string{
		"/stores/aaa111/v3/{id}":            tokenA,
		"/stores/aaa111/../bbb222/v3/{id}":  "",
		"//evil.example/stores/aaa111/v3/x": "",
		"/stores":                           "",
	} {
		r := &http.Request{Header: http.Header{}, URL: &url.URL{Scheme: "https", Host: "api.bigcommerce.com", Path: "/stores/bbb222/v3/x", Opaque: path}}
		if err := v.Authorize(r); r.Header.Get("X-Auth-Token") != want || (err == nil) != (want != "") {
			t.Errorf("%s: X-Auth-Token = %q, err %v", path, r.Header.Get("X-Auth-Token"), err)
		}
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
