package sandbox

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// productView is a product with the parts that were asked for.
type productView struct {
	*product
	Variants     any `json:"variants,omitempty"`
	Images       any `json:"images,omitempty"`
	PrimaryImage any `json:"primary_image,omitempty"`
	Options      any `json:"options,omitempty"`
	CustomFields any `json:"custom_fields,omitempty"`
	BulkPricing  any `json:"bulk_pricing_rules,omitempty"`
	Modifiers    any `json:"modifiers,omitempty"`
	Videos       any `json:"videos,omitempty"`
}

// productLook is which parts were asked for.
type productLook struct {
	variants, images, primary, options bool
	customFields, bulk, mods, videos   bool
	only, without                      []string
}

func (c *call) productLook() (productLook, *reply) {
	look := productLook{only: listOf(c.query.Get("include_fields")), without: listOf(c.query.Get("exclude_fields"))}
	parts := map[string]*bool{
		"variants": &look.variants, "images": &look.images, "primary_image": &look.primary,
		"options": &look.options, "custom_fields": &look.customFields, "bulk_pricing_rules": &look.bulk,
		"modifiers": &look.mods, "videos": &look.videos,
	}
	for _, name := range listOf(strings.Join(c.query["include"], ",")) {
		part, ok := parts[name]
		if !ok {
			bad := unprocessable("include", "'"+name+"' is not a sub-resource of a product.")
			return look, &bad
		}
		*part = true
	}
	return look, nil
}

func (l productLook) of(p *product) any {
	v := productView{product: p}
	empty := []struct{}{}
	for _, part := range []struct {
		asked bool
		at    *any
		value any
	}{
		{l.variants, &v.Variants, orEmpty(p.variants)}, {l.images, &v.Images, orEmpty(p.images)},
		{l.primary, &v.PrimaryImage, p.thumbnail()}, {l.options, &v.Options, p.options()},
		{l.customFields, &v.CustomFields, empty}, {l.bulk, &v.BulkPricing, empty},
		{l.mods, &v.Modifiers, empty}, {l.videos, &v.Videos, empty},
	} {
		if part.asked {
			*part.at = part.value
		}
	}
	if len(l.only) == 0 && len(l.without) == 0 {
		return v
	}
	return l.trim(v)
}

// trim keeps the fields that were asked for; the id always stays.
func (l productLook) trim(v productView) any {
	raw, err := encode(v)
	if err != nil {
		return v
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return v
	}
	parts := []string{"id", "variants", "images", "primary_image", "options"}
	for name := range fields {
		unasked := len(l.only) > 0 && !slices.Contains(l.only, name) && !slices.Contains(parts, name)
		if unasked || (name != "id" && slices.Contains(l.without, name)) {
			delete(fields, name)
		}
	}
	return fields
}

func (l productLook) all(products []*product) []any {
	views := make([]any, len(products))
	for i, p := range products {
		views[i] = l.of(p)
	}
	return views
}

// productOption is a choice a shopper makes.
type productOption struct {
	ID          int64         `json:"id"`
	ProductID   int64         `json:"product_id"`
	Name        string        `json:"name"`
	DisplayName string        `json:"display_name"`
	Type        string        `json:"type"`
	SortOrder   int           `json:"sort_order"`
	Values      []optionLabel `json:"option_values"`
}

type optionLabel struct {
	ID        int64  `json:"id"`
	Label     string `json:"label"`
	SortOrder int    `json:"sort_order"`
}

// options are read off the variants.
func (p *product) options() []productOption {
	options := []productOption{}
	for _, v := range p.variants {
		for _, value := range v.OptionValues {
			at := slices.IndexFunc(options, func(o productOption) bool { return o.ID == value.OptionID })
			if at < 0 {
				at = len(options)
				options = append(options, productOption{
					ID: value.OptionID, ProductID: p.ID, Name: value.OptionDisplayName,
					DisplayName: value.OptionDisplayName, Type: "rectangles", SortOrder: at,
				})
			}
			o := &options[at]
			if !slices.ContainsFunc(o.Values, func(l optionLabel) bool { return l.ID == value.ID }) {
				o.Values = append(o.Values, optionLabel{value.ID, value.Label, len(o.Values)})
			}
		}
	}
	return options
}

// productTest is one filter of a list; productTests all must hold.
type (
	productTest  func(*product) bool
	productTests []productTest
)

func (tests productTests) match(p *product) bool {
	return !slices.ContainsFunc(tests, func(t productTest) bool { return !t(p) })
}

// productFilter reads the filters of the query; names it does not know are ignored, as
// BigCommerce does.
func (c *call) productFilter() (productTests, *reply) {
	var tests productTests
	for name, values := range c.query {
		test, bad := productTestOf(name, strings.Join(values, ","))
		if bad != nil {
			return nil, bad
		}
		if test != nil {
			tests = append(tests, test)
		}
	}
	return tests, nil
}

func productTestOf(name, value string) (productTest, *reply) {
	field, how, _ := strings.Cut(name, ":")
	if number := numberField(field); number != nil {
		return numberTest(name, how, value, number)
	}
	switch name {
	case "name":
		return func(p *product) bool { return strings.EqualFold(p.Name, value) }, nil
	case "name:like":
		return func(p *product) bool { return contains(p.Name, value) }, nil
	case "sku", "sku:in":
		skus := listOf(value)
		return func(p *product) bool { return slices.Contains(skus, p.SKU) }, nil
	case "keyword":
		return func(p *product) bool {
			return contains(p.Name, value) || contains(p.SKU, value) || contains(p.SearchKeywords, value)
		}, nil
	case "type":
		return func(p *product) bool { return p.Type == value }, nil
	case "availability":
		return func(p *product) bool { return p.Availability == value }, nil
	case "is_visible", "is_featured":
		want, err := strconv.ParseBool(value)
		if err != nil {
			bad := unprocessable(name, "must be true or false")
			return nil, &bad
		}
		return func(p *product) bool {
			return want == (name == "is_visible" && p.IsVisible || name == "is_featured" && p.IsFeatured)
		}, nil
	case "categories", "categories:in":
		ids, bad := numbers(name, value)
		return func(p *product) bool {
			return slices.ContainsFunc(p.Categories, func(id int64) bool { return slices.Contains(ids, id) })
		}, bad
	}
	return nil, nil
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// numberField reads a field that can be compared; nil when the field is none.
func numberField(name string) func(*product) float64 {
	switch name {
	case "id":
		return func(p *product) float64 { return float64(p.ID) }
	case "price":
		return func(p *product) float64 { return p.Price }
	case "calculated_price":
		return func(p *product) float64 { return p.CalculatedPrice }
	case "weight":
		return func(p *product) float64 { return p.Weight }
	case "brand_id":
		return func(p *product) float64 { return float64(p.BrandID) }
	case "inventory_level":
		return func(p *product) float64 { return float64(p.InventoryLevel) }
	case "total_sold":
		return func(p *product) float64 { return float64(p.TotalSold) }
	}
	return nil
}

func numberTest(name, how, value string, field func(*product) float64) (productTest, *reply) {
	var wanted []float64
	for _, part := range listOf(value) {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil {
			bad := unprocessable(name, "must be a number")
			return nil, &bad
		}
		wanted = append(wanted, n)
	}
	if len(wanted) == 0 {
		bad := unprocessable(name, "must be a number")
		return nil, &bad
	}
	switch how {
	case "", "in":
		return func(p *product) bool { return slices.Contains(wanted, field(p)) }, nil
	case "not_in":
		return func(p *product) bool { return !slices.Contains(wanted, field(p)) }, nil
	case "min":
		return func(p *product) bool { return field(p) >= wanted[0] }, nil
	case "max":
		return func(p *product) bool { return field(p) <= wanted[0] }, nil
	case "greater":
		return func(p *product) bool { return field(p) > wanted[0] }, nil
	case "less":
		return func(p *product) bool { return field(p) < wanted[0] }, nil
	}
	return nil, nil
}

func (c *call) listProducts() reply {
	look, bad := c.productLook()
	if bad != nil {
		return *bad
	}
	tests, bad := c.productFilter()
	if bad != nil {
		return *bad
	}
	var found []*product
	for _, p := range c.shop.products {
		if tests.match(p) {
			found = append(found, p)
		}
	}
	if bad := c.sortProducts(found); bad != nil {
		return *bad
	}
	answer := listV3(found, c.query)
	if page, ok := answer.body.(envelope); ok {
		page.Data = look.all(page.Data.([]*product))
		answer.body = page
	}
	return answer
}

// sortProducts orders by ?sort and ?direction; by id without them.
func (c *call) sortProducts(products []*product) *reply {
	by := c.query.Get("sort")
	var order func(a, b *product) int
	switch by {
	case "":
		order = func(a, b *product) int { return cmp.Compare(a.ID, b.ID) }
	case "name":
		order = func(a, b *product) int { return cmp.Compare(a.Name, b.Name) }
	case "sku":
		order = func(a, b *product) int { return cmp.Compare(a.SKU, b.SKU) }
	case "date_modified":
		order = func(a, b *product) int { return cmp.Compare(a.DateModified, b.DateModified) }
	default:
		field := numberField(by)
		if field == nil {
			bad := unprocessable("sort", "'"+by+"' is not a field to sort by.")
			return &bad
		}
		order = func(a, b *product) int { return cmp.Compare(field(a), field(b)) }
	}
	slices.SortStableFunc(products, order)
	if strings.EqualFold(c.query.Get("direction"), "desc") {
		slices.Reverse(products)
	}
	return nil
}

// listOf splits a comma list, without empty parts.
func listOf(text string) []string {
	return slices.DeleteFunc(strings.Split(text, ","), func(part string) bool { return part == "" })
}

func numbers(name, text string) ([]int64, *reply) {
	ids := []int64{}
	for _, part := range listOf(text) {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			bad := unprocessable(name, "must be a list of whole numbers")
			return nil, &bad
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// idFilter reads a list of ids from the query; nil when it is not there.
func (c *call) idFilter(name string) ([]int64, *reply) {
	if !c.query.Has(name) {
		return nil, nil
	}
	return numbers(name, c.query.Get(name))
}

// orEmpty is a list that is never null in JSON.
func orEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
