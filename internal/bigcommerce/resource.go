package bigcommerce

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// facts are the fields by which the data of events names things.
type facts map[string]string

// resourceKind is how one kind of thing is named by events and fetched by the API. Paths have
// {name} for a fact; a path of which a fact is missing does not exist.
type resourceKind struct {
	kind string
	id   string // the fact that is its id
	path string
}

// byType is looked up by data.type.
var byType = map[string]resourceKind{
	"order":           {"order", "id", "/v2/orders/{id}"},
	"product":         {"product", "id", "/v3/catalog/products/{id}"},
	"category":        {"category", "id", "/v3/catalog/categories/{id}"},
	"customer":        {"customer", "id", "/v3/customers?id:in={id}"},
	"cart":            {"cart", "id", "/v3/carts/{id}"},
	"cart_line_item":  {"cart_line_item", "id", "/v3/carts/{cartId}"},
	"sku":             {"sku", "id", "/v3/catalog/products/{product_id}/variants/{variant_id}"},
	"shipment":        {"shipment", "id", "/v2/orders/{orderId}/shipments/{id}"},
	"subscriber":      {"subscriber", "id", "/v3/customers/subscribers/{id}"},
	"transaction":     {"transaction", "transaction_id", "/v3/orders/{order_id}/transactions"},
	"channel":         {"channel", "id", "/v3/channels/{id}"},
	"store":           {"store", "", "/v2/store"},
	"webhook":         {"webhook", "id", "/v3/hooks/{id}"},
	"shared_modifier": {"modifier", "id", ""},
	"local_option":    {"option", "id", ""},
}

// byFact is tried in this order when data names no type: the most particular fact first.
var byFact = []resourceKind{
	{"metafield", "metafield_id", ""}, // its path depends on its owner
	{"cart_line_item", "cart_item_id", "/v3/carts/{cart_id}"},
	{"cart", "cart_id", "/v3/carts/{cart_id}"},
	{"order", "order_id", "/v2/orders/{order_id}"},
	{"price_list_record", "variant_id,price_list_id", "/v3/pricelists/{price_list_id}/records/{variant_id}/{currency}"},
	{"price_list_assignment", "customer_group_id,price_list_id", "/v3/pricelists/assignments?price_list_id={price_list_id}"},
	{"price_list", "price_list_id", "/v3/pricelists/{price_list_id}"},
	{"inventory_item", "variant_id,location_id", "/v3/inventory/locations/{location_id}/items?variant_id:in={variant_id}"},
	{"category", "category_id", "/v3/catalog/categories/{category_id}"},
	{"category_tree", "tree_id", "/v3/catalog/trees/{tree_id}/categories"},
	{"location", "location_id", "/v3/inventory/locations?location_id:in={location_id}"},
	{"company_user", "user_id,company_id", ""},
	{"company_address", "address_id,company_id", ""},
	{"company", "company_id", ""},
	{"superadmin", "user_id", ""},
	{"quote", "quote_id", ""},
	{"customer", "customer_id", "/v3/customers?id:in={customer_id}"},
	{"product", "product_id", "/v3/catalog/products/{product_id}"},
	{"page", "page_id", "/v3/content/pages/{page_id}"},
	{"script", "uuid", "/v3/content/scripts/{uuid}"},
	{"site", "site_id", "/v3/sites/{site_id}"},
	{"theme", "theme_id", "/v3/themes/{theme_id}"},
	{"email_template", "template_kind", "/v3/marketing/email-templates/{template_kind}"},
}

// metafieldOwners says where the metafields of a family of events live.
var metafieldOwners = map[string]string{
	"order":     "/v3/orders/{resource_id}/metafields/{metafield_id}",
	"product":   "/v3/catalog/products/{resource_id}/metafields/{metafield_id}",
	"category":  "/v3/catalog/categories/{resource_id}/metafields/{metafield_id}",
	"brand":     "/v3/catalog/brands/{resource_id}/metafields/{metafield_id}",
	"cart":      "/v3/carts/{resource_id}/metafields/{metafield_id}",
	"channel":   "/v3/channels/{resource_id}/metafields/{metafield_id}",
	"customer":  "/v3/customers/{resource_id}/metafields/{metafield_id}",
	"location":  "/v3/inventory/locations/{resource_id}/metafields/{metafield_id}",
	"inventory": "/v3/inventory/locations/{resource_id}/metafields/{metafield_id}",
}

var (
	// safeID is what may go from an event into a path. An event is a stranger's text, and the path
	// is asked for with the store's token.
	safeID      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	placeholder = regexp.MustCompile(`\{(\w+)\}`)
)

// Resource is the thing a webhook speaks of: "order", "118", and the API path that fetches it
// ("/v2/orders/118"); path is empty when there is none, as for what was deleted. Of an event
// about several things it is the first.
func (w Webhook) Resource() (kind, id, path string) {
	known := readFacts(w.Data)
	switch r, ok := w.find(known); {
	case !ok:
		return "", "", ""
	case w.gone():
		return r.kind, known[r.id], ""
	default:
		return r.kind, known[r.id], known.fill(r.path)
	}
}

// gone reports whether the event says that its thing no longer exists. What a cart lost, a line
// item, still leaves the cart.
func (w Webhook) gone() bool {
	return strings.HasSuffix(strings.TrimSuffix(w.Scope, "/"), "/deleted") && !strings.Contains(w.Scope, "/lineItem")
}

func (w Webhook) find(known facts) (resourceKind, bool) {
	if strings.Contains(w.Scope, "/customer/address/") {
		return resourceKind{"customer_address", "id", "/v3/customers/addresses?id:in={id}"}, known["id"] != ""
	}
	if r, ok := byType[known["type"]]; ok {
		return r, true
	}
	for _, r := range byFact {
		names := strings.Split(r.id, ",")
		if slices.ContainsFunc(names, func(name string) bool { return known[name] == "" }) {
			continue
		}
		r.id = names[0]
		if r.kind == "metafield" {
			r.path = w.metafieldPath(known)
		}
		return r, true
	}
	return resourceKind{}, false
}

func (w Webhook) metafieldPath(known facts) string {
	owner := known["resource_type"]
	if segments := strings.Split(w.Scope, "/"); owner == "" && len(segments) > 1 {
		owner = segments[1]
	}
	return metafieldOwners[owner]
}

// fill puts the facts into a path, or returns nothing when one is missing or unsafe.
func (f facts) fill(path string) string {
	safe := true
	path = placeholder.ReplaceAllStringFunc(path, func(name string) string {
		value := f[strings.Trim(name, "{}")]
		safe = safe && safeID.MatchString(value)
		return value
	})
	if !safe {
		return ""
	}
	return path
}

// readFacts collects the numbers and strings of data, those one level down included, where they
// do not hide one of the first level. Of a list it reads the first item; of a list of ids the
// first id, under the singular of its name.
func readFacts(data json.RawMessage) facts {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) == nil && len(list) > 0 {
		data = list[0]
	}
	known := facts{}
	fields, err := parseObject(data)
	if err != nil {
		return known
	}
	for _, f := range fields {
		known.add(f.name, f.value)
	}
	for _, f := range fields {
		inner, _ := parseObject(f.value)
		for _, g := range inner {
			if known[g.name] == "" {
				known.add(g.name, g.value)
			}
		}
	}
	return known
}

func (f facts) add(name string, value json.RawMessage) {
	var ids []json.RawMessage
	if singular, many := strings.CutSuffix(name, "_ids"); many && json.Unmarshal(value, &ids) == nil && len(ids) > 0 {
		name, value = singular+"_id", ids[0]
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		f[name] = oneLine(text, 80)
		return
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil {
		f[name] = oneLine(number.String(), 80)
	}
}
