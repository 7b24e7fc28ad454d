package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever is asked, the answer is JSON and comes soon.
func FuzzGraphQL(f *testing.F) {
	f.Add(`{"query":"{ site { settings { storeName } } }"}`)
	f.Add(`{"query":"query($n: Int) { site { products(first: $n, after: \"x\") { edges { node { entityId } } } } }","variables":{"n":1.5}}`)
	f.Add(`{"query":"{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"}`)
	f.Add(`{"query":"{ site @skip(if: $x) { __typename } }","operationName":"Q"}`)
	schemas, shop := newGraphs(), stock("abc123")
	f.Fuzz(func(t *testing.T, body string) {
		answer := schemas.storefront([]byte(body), shop, storefrontClaims{Private: true})
		if raw, err := encode(answer.body); err != nil || !json.Valid(raw) {
			t.Errorf("%q: %v in %s", body, err, raw)
		}
	})
}

// No text passes for a token that was not made here.
func FuzzStorefrontToken(f *testing.F) {
	tokens := newStorefrontTokens()
	good, err := tokens.sign(storefrontClaims{Store: 1, Channels: []int64{1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a.b.c")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".")
	f.Add(good + "A")
	f.Add(good + "\n")
	f.Add(good[:len(good)-1] + string(good[len(good)-1]+1)) // differs in bits that no byte holds
	f.Fuzz(func(t *testing.T, text string) {
		if _, fault := tokens.read(text); fault == "" && text != good {
			t.Errorf("%q passes", text)
		}
	})
}

// A callback URL keeps every byte the app registered.
func FuzzCallbackURL(f *testing.F) {
	for _, u := range []string{"https://a.localhost/auth", "https://a.localhost", "https://a/x?y=%20", "https://a/#", "http://[::1]:1/", "https://a/%zz"} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, registered string) {
		got, err := callbackURL(registered, nil)
		if err == nil && !strings.HasPrefix(got, registered) {
			t.Errorf("%q became %q", registered, got)
		}
	})
}
