package bigcommerce

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ids(needed []Requirement) string {
	var out []string
	for _, r := range needed {
		out = append(out, r.Scope)
	}
	return strings.Join(out, " ")
}

func TestScopesFor(t *testing.T) {
	const products = "store_v2_products_read_only store_v2_products"
	for call, want := range map[string]string{
		"GET /v3/catalog/products":                                              products,
		"GET /v3/catalog/products?include=images,variants":                      products,
		"get /v3/catalog/products/":                                             products,
		"HEAD /stores/abc123xyz/v3/catalog/products/77/variants":                products,
		"GET https://api.bigcommerce.com/stores/abc123xyz/v3/catalog/x?y":       products,
		"POST /v3/catalog/products":                                             "store_v2_products",
		"DELETE /v3/catalog/products":                                           "store_v2_products",
		"POST /v3/pricing/products":                                             products,
		"GET /v2/orders/118/shipments":                                          "store_v2_orders_read_only store_v2_orders",
		"GET /v2/orders.json":                                                   "store_v2_orders_read_only store_v2_orders",
		"GET /v3/orders/118/transactions":                                       "store_v2_transactions_read_only store_v2_transactions",
		"POST /v3/orders/118/payment_actions/refunds":                           "store_v2_orders store_v2_transactions",
		"GET /v3/orders/118/payment_actions/refunds":                            "store_v2_orders_read_only store_v2_transactions_read_only store_v2_orders store_v2_transactions",
		"GET /v3/orders/118/metafields":                                         "store_v2_orders_read_only store_v2_orders",
		"GET /v3/orders/pickups":                                                "store_order_fulfillment_read_only store_order_fulfillment_manage", //nolint:misspell // an id
		"GET /v3/carts/settings":                                                "store_v2_information_read_only store_v2_information",
		"GET /v3/carts/3f1c":                                                    "store_cart_read_only store_cart",
		"GET /v3/inventory/locations":                                           "store_locations_read_only store_locations",
		"GET /v3/inventory/locations/2/items":                                   "store_inventory_read_only store_inventory",
		"GET /v3/inventory/items":                                               "store_inventory_read_only store_inventory",
		"GET /v3/segments/1/shopper-profiles":                                   "store_v2_customers",
		"GET /v3/customers/1/stored-instruments":                                "store_stored_payment_instruments_read_only store_stored_payment_instruments",
		"GET /v3/channels/1/site/checkout-url":                                  "store_sites_read_only store_sites",
		"GET /v3/hooks":                                                         "store_v2_default",
		"POST /v3/payments/access_tokens":                                       "store_payments_access_token_create",
		"GET /v3/payments/access_tokens":                                        "",
		"GET /v3/catalogue":                                                     "",
		"GET /v3/catal":                                                         "",
		"POST /graphql":                                                         "",
		"POST /stores/abc123xyz/graphql":                                        "",
		"GET /":                                                                 "",
		"GET ":                                                                  "",
		"DELETE /v3/storefront/api-token":                                       "store_storefront_api",
		"POST /v3/storefront/api-token-private":                                 "store_storefront_api",
		"PUT /v3/tax/classes/1":                                                 "MANAGE_TAX",
		"POST /v3/infrastructure/deployments":                                   "store_infrastructure_deployments_create_preview store_infrastructure_deployments_manage",
		"GET /stores/abc123xyz/v2/payments/methods":                             "store_payments_methods_read store_v2_information_read_only",
		"GET http://127.0.0.1:7070/v3/settings/store/locale":                    "store_v2_information_read_only store_v2_information",
		"GET /v2/" + strings.Repeat("orders/", 10000):                           "",
		"GET /stores/abc123xyz/v3/orders/118/transactions/../../../v3/settings": "store_v2_transactions_read_only store_v2_transactions",
	} {
		method, path, _ := strings.Cut(call, " ")
		if strings.HasPrefix(path, "/v2/orders/orders") {
			want = "store_v2_orders_read_only store_v2_orders"
		}
		if got := ids(ScopesFor(method, path)); got != want {
			t.Errorf("%.80s needs %q, want %q", call, got, want)
		}
	}
}

func TestEveryScopeOfTheTableHasANameAndASentence(t *testing.T) {
	known := KnownScopes()
	if len(known) != 69 {
		t.Errorf("%d scopes, not 69", len(known))
	}
	for _, scope := range known {
		name, level, about := ScopeName(scope)
		if name == "" || !strings.HasPrefix(about, "Lets the app ") && !strings.HasPrefix(about, "Comes with ") {
			t.Errorf("%s: %q, %q, %q", scope, name, level, about)
		}
		if strings.HasSuffix(scope, "_read_only") != (level == "read-only") && scope != "store_payments_methods_read" && !strings.HasPrefix(scope, "account_") {
			t.Errorf("%s has level %q", scope, level)
		}
	}
	for _, g := range loadGates() {
		if len(g.prefix) > 0 && g.prefix[0] != "v2" && g.prefix[0] != "v3" {
			t.Errorf("%s opens %v", g.Scope, g.prefix)
		}
	}
}

func TestScopeName(t *testing.T) {
	for scope, want := range map[string][3]string{
		"store_v2_products":           {"Products", "modify", "Lets the app read and change products, variants, brands, categories and price lists."},
		"store_v2_products_read_only": {"Products", "read-only", "Lets the app read products, variants, brands, categories and price lists."},
		"store_themes_manage":         {"Themes", "modify", "Lets the app read and change themes and template associations."},
		"store_checkouts_read_only":   {"Checkouts", "read-only", "Lets the app read checkouts and what becomes of them."},
		"store_storefront_api":        {"Storefront API Tokens", "modify", "Lets the app make tokens for the GraphQL Storefront API."},
		"store_v2_nothing":            {"", "", ""},
	} {
		name, level, about := ScopeName(scope)
		if diff := cmp.Diff(want, [3]string{name, level, about}); diff != "" {
			t.Error(scope, diff)
		}
	}
}

func TestMissing(t *testing.T) {
	for name, c := range map[string]struct{ call, granted, want string }{
		"the very scope":                    {"GET /v3/catalog/products", "store_v2_products_read_only", ""},
		"modify is enough to read":          {"GET /v3/catalog/products", "store_v2_products", ""},
		"read-only is not enough to write":  {"POST /v3/catalog/products", "store_v2_products_read_only", "store_v2_products"},
		"manage is enough to read":          {"GET /v3/themes", "store_themes_manage", ""},
		"another spelling":                  {"GET /v3/checkouts/1", "store_checkouts_read_only", ""},
		"any one of several":                {"POST /v3/orders/1/payment_actions/refunds", "store_v2_transactions", ""},
		"none of several":                   {"POST /v3/orders/1/payment_actions/refunds", "store_v2_products", "store_v2_orders store_v2_transactions"},
		"webhooks need nothing":             {"POST /v3/hooks", "", ""},
		"an unknown path":                   {"GET /v3/none", "", ""},
		"only modify reads shopper profile": {"GET /v3/segments/1/shopper-profiles", "store_v2_customers_read_only", "store_v2_customers"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		if got := ids(Missing(method, path, strings.Fields(c.granted))); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct{ wanted, granted, missing, extra string }{
		"the same":                       {"a b", "b a", "", ""},
		"scopes that come by themselves": {"a store_v2_default", "a users_basic_information", "", ""},
		"modify for read-only":           {"store_cart_read_only", "store_cart", "", ""},
		"read-only for modify":           {"store_cart", "store_cart_read_only", "store_cart", "store_cart_read_only"},
		"one missing, one extra, twice":  {"a b b", "a c c", "b", "c"},
		"nothing wanted":                 {"", "a", "", "a"},
		"another spelling":               {"store_checkouts", "store_checkout", "", ""},
	} {
		missing, extra := Compare(strings.Fields(c.wanted), strings.Fields(c.granted))
		if strings.Join(missing, " ") != c.missing || strings.Join(extra, " ") != c.extra {
			t.Errorf("%s: missing %v, extra %v", name, missing, extra)
		}
	}
}

func TestNames(t *testing.T) {
	for call, want := range map[string]string{
		"GET /v3/catalog/products":        "Products (read-only or modify)",
		"POST /v3/catalog/products":       "Products (modify)",
		"POST /v3/orders/payment_actions": "Orders (modify), or Order Transactions (modify)",
	} {
		method, path, _ := strings.Cut(call, " ")
		if got := Names(ScopesFor(method, path)); got != want {
			t.Errorf("%s: %s", call, got)
		}
	}
}
