package cli

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bcdev/internal/bigcommerce"
	"bcdev/internal/config"
)

// madeUpGrant is a grant for a store that nobody has installed: an app under development gets the
// answer it would get, with a token that opens nothing.
func madeUpGrant(store string, cfg *config.Config) (bigcommerce.Grant, error) {
	scopes := cfg.App.Scopes
	if len(scopes) == 0 {
		scopes = []string{"store_v2_products", "store_v2_default", "users_basic_information"}
	}
	merchant := map[string]any{"id": 1001, "username": "merchant@example.com", "email": "merchant@example.com"}
	answer, err := json.Marshal(map[string]any{
		"access_token": "madeup" + strings.ToLower(rand.Text()), "scope": strings.Join(scopes, " "),
		"user": merchant, "owner": merchant, "context": "stores/" + store,
	})
	if err != nil {
		return bigcommerce.Grant{}, fmt.Errorf("making up a grant: %w", err)
	}
	return bigcommerce.ParseGrant(answer, time.Now())
}
