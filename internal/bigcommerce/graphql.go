package bigcommerce

import (
	"encoding/json"
	"net/http"
	"strings"
)

// storefrontTexts are the reasons the GraphQL Storefront API gives with a 401 (BigCommerce docs,
// API status codes), and what each means.
var storefrontTexts = []struct{ text, means string }{
	{"GraphQL credentials were missing", "No storefront token was sent; send Authorization: Bearer {token}."},
	{"JWT is expired", "The storefront token has expired; make a new one with a later expires_at."},
	{"JWT channel id doesn't match", "The storefront token is for another channel than this address; make one for the channel of the address."},
	{"JWT store id doesn't match", "The storefront token is for another store than this address."},
	{"JWT signature is invalid", "The storefront token was changed or cut off on the way; copy it whole."},
	{"String is not a JWT", "What was sent is no storefront token: an API access token does not work here."},
	{"JWT has no valid Json", "The storefront token was changed or cut off on the way; copy it whole."},
	{"JWT has Json of an unknown format", "This is a token of another kind; make a storefront token at /v3/storefront/api-token-private."},
	{"Unknown JWT token", "The storefront token was revoked; make a new one."},
}

// explainGraphQL reads what GraphQL answers say: refusals of the Storefront API, and errors that
// come with status 200.
func explainGraphQL(a Answer) string {
	body := string(a.Body)
	if a.Status == http.StatusUnauthorized {
		for _, t := range storefrontTexts {
			if strings.Contains(body, t.text) {
				return t.means
			}
		}
		if storefront(a.Path) {
			return "The storefront token is refused: it is expired, revoked, or made for another store or channel."
		}
	}
	if strings.Contains(body, "'Origin' header invalid") {
		return "The storefront token allows other origins only; name this one in allowed_cors_origins, without a slash at its end."
	}
	if a.Status != http.StatusOK {
		return ""
	}
	if scopes := requiredScopes(a.Body); len(scopes) > 0 {
		return "A field needs a storefront token with the scope " + oneLine(strings.Join(scopes, ", "), 100) + "; make a private token with it in scopes."
	}
	return ""
}

// storefront reports whether path is a storefront's GraphQL address and not GraphQL Admin, which
// lives at /stores/{hash}/graphql and asks for the access token.
func storefront(path string) bool { return strings.HasSuffix(pathOf(path), "/storefront/graphql") }

func requiredScopes(body []byte) []string {
	var answer struct {
		Errors []struct {
			Extensions struct {
				Code           string
				RequiredScopes []string
			}
		}
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	for _, e := range answer.Errors {
		if e.Extensions.Code == "INSUFFICIENT_ACCESS_SCOPE" {
			return e.Extensions.RequiredScopes
		}
	}
	return nil
}
