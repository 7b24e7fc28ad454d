package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	maxThings = 5000 // products, orders or customers of one store
	maxPrice  = 1e8  // keeps an order's total in range
)

func catalogueRoutes() []route {
	return []route{
		{"GET", "/v3/catalog/products", (*call).listProducts},
		{"POST", "/v3/catalog/products", (*call).createProduct},
		{"PUT", "/v3/catalog/products", (*call).updateProducts},
		{"DELETE", "/v3/catalog/products", (*call).deleteProducts},
		{"GET", "/v3/catalog/products/{}", (*call).getProduct},
		{"PUT", "/v3/catalog/products/{}", (*call).updateProduct},
		{"DELETE", "/v3/catalog/products/{}", (*call).deleteProduct},
		{"GET", "/v3/catalog/products/{}/variants", (*call).listVariants},
		{"POST", "/v3/catalog/products/{}/variants", (*call).createVariant},
		{"GET", "/v3/catalog/products/{}/variants/{}", (*call).getVariant},
		{"PUT", "/v3/catalog/products/{}/variants/{}", (*call).updateVariant},
		{"DELETE", "/v3/catalog/products/{}/variants/{}", (*call).deleteVariant},
		{"GET", "/v3/catalog/products/{}/images", (*call).listImages},
		{"POST", "/v3/catalog/products/{}/images", (*call).createImage},
		{"GET", "/v3/catalog/products/{}/images/{}", (*call).getImage},
		{"DELETE", "/v3/catalog/products/{}/images/{}", (*call).deleteImage},
		{"GET", "/v3/catalog/variants", (*call).listAllVariants},
		{"GET", "/v3/catalog/categories", (*call).listCategories},
		{"GET", "/v3/catalog/categories/{}", (*call).getCategory},
		{"GET", "/v3/catalog/brands", (*call).listBrands},
		{"GET", "/v3/catalog/brands/{}", (*call).getBrand},
		{"GET", "/v3/catalog/summary", (*call).summary},
	}
}

// product returns the product of the first id in the path, and its place.
func (c *call) product() (*product, int) {
	at, ok := slices.BinarySearchFunc(c.shop.products, c.ids[0], func(p *product, id int64) int {
		return int(min(max(p.ID-id, -1), 1))
	})
	if !ok {
		return nil, -1
	}
	return c.shop.products[at], at
}

// replace puts a new version of a product in the place of the old one.
func (c *call) replace(at int, p *product) {
	p.DateModified = c.now.Format(v3Time)
	p.settle()
	c.shop.products = slices.Clone(c.shop.products)
	c.shop.products[at] = p
}

func (c *call) getProduct() reply {
	p, _ := c.product()
	if p == nil {
		return notFound()
	}
	look, bad := c.productLook()
	if bad != nil {
		return *bad
	}
	return data(look.of(p))
}

// productInput is what a client may send: the product with its variants and images.
type productInput struct {
	*product
	Variants []variant    `json:"variants"`
	Images   []imageInput `json:"images"`
}

func (c *call) createProduct() reply {
	p := blankProduct(c.now)
	in := productInput{product: &p}
	if err := json.Unmarshal(c.body, &in); err != nil {
		return c.badJSON(err)
	}
	if bad := c.checkNewProduct(); bad != nil {
		return *bad
	}
	if bad := c.checkProduct(&p); bad != nil {
		return *bad
	}
	if len(c.shop.products) >= maxThings {
		return full("products")
	}
	p.ID = take(&c.shop.next.product)
	if len(in.Variants) == 0 {
		in.Variants = []variant{{SKU: p.SKU, InventoryLevel: p.InventoryLevel}}
	}
	for _, v := range in.Variants {
		c.numberVariant(&p, &v)
		p.variants = append(p.variants, &v)
	}
	for i, image := range in.Images {
		p.images = append(p.images, c.shop.newImage(image.image(&p, i), c.now))
	}
	p.settle()
	c.shop.products = append(slices.Clone(c.shop.products), &p)
	c.fire("store/product/created", thing{"product", p.ID})
	for _, v := range p.variants {
		c.fireSKU("created", v)
	}
	return data(productLook{variants: true, images: in.Images != nil}.of(&p))
}

// checkNewProduct names the first of the required fields that is not there.
func (c *call) checkNewProduct() *reply {
	var given map[string]json.RawMessage
	_ = json.Unmarshal(c.body, &given)
	missing := map[string]string{}
	for _, field := range []string{"name", "type", "weight", "price"} {
		if _, ok := given[field]; !ok {
			missing[field] = wordsMissing
		}
	}
	if len(missing) == 0 {
		return nil
	}
	bad := refuseFields(http.StatusUnprocessableEntity, wordsBadJSON, missing)
	return &bad
}

// checkProduct holds the rules of one product among the others.
func (c *call) checkProduct(p *product) *reply {
	var bad reply
	switch {
	case p.Name == "" || len(p.Name) > 250:
		bad = unprocessable("name", "must be between 1 and 250 characters")
	case p.Type != "physical" && p.Type != "digital":
		bad = unprocessable("type", "must be physical or digital")
	case p.Price < 0 || p.Price > maxPrice:
		bad = unprocessable("price", "must be between 0 and 100 million")
	case p.SalePrice < 0 || p.SalePrice > maxPrice:
		bad = unprocessable("sale_price", "must be between 0 and 100 million")
	case p.Weight < 0 || p.Weight > maxPrice:
		bad = unprocessable("weight", "must be 0 or more")
	case p.InventoryTracking != "none" && p.InventoryTracking != "product" && p.InventoryTracking != "variant":
		bad = unprocessable("inventory_tracking", "must be none, product or variant")
	case !c.knowsCategories(p.Categories):
		bad = unprocessable("categories", "One or more of the categories do not exist.")
	default:
		return c.checkUnique(p)
	}
	return &bad
}

func (c *call) knowsCategories(ids []int64) bool {
	for _, id := range ids {
		if !slices.ContainsFunc(c.shop.groups, func(g *category) bool { return g.ID == id }) {
			return false
		}
	}
	return true
}

func (c *call) checkUnique(p *product) *reply {
	for _, other := range c.shop.products {
		switch {
		case other.ID == p.ID:
		case strings.EqualFold(other.Name, p.Name):
			return conflict("name", "The product name is a duplicate")
		case p.SKU != "" && other.SKU == p.SKU:
			return conflict("sku", "The product sku is a duplicate")
		}
	}
	return nil
}

func conflict(field, title string) *reply {
	bad := refuseFields(http.StatusConflict, title, map[string]string{field: title})
	return &bad
}

func (c *call) updateProduct() reply {
	p, at := c.product()
	if p == nil {
		return notFound()
	}
	made, bad := c.patchProduct(p, c.body)
	if bad != nil {
		return *bad
	}
	c.saveProduct(at, p, made)
	look, bad := c.productLook()
	if bad != nil {
		return *bad
	}
	return data(look.of(made))
}

// patchProduct is p with the given fields changed; what BigCommerce computes stays.
func (c *call) patchProduct(p *product, body []byte) (*product, *reply) {
	made := p.copyForWriting()
	if err := json.Unmarshal(body, &made); err != nil {
		bad := c.badJSON(err)
		return nil, &bad
	}
	made.ID, made.DateCreated, made.TotalSold = p.ID, p.DateCreated, p.TotalSold
	if bad := c.checkProduct(&made); bad != nil {
		return nil, bad
	}
	return &made, nil
}

func (c *call) saveProduct(at int, before, after *product) {
	if before.SKU != after.SKU && after.BaseVariantID != nil {
		after.variants = slices.Clone(after.variants)
		base := *after.variants[0]
		base.SKU = after.SKU
		after.variants[0] = &base
	}
	c.replace(at, after)
	c.fire("store/product/updated", thing{"product", after.ID})
	if before.InventoryLevel != after.InventoryLevel {
		c.fire("store/product/inventory/updated", map[string]any{
			"type": "product", "id": after.ID,
			"inventory": map[string]any{"product_id": after.ID, "method": "absolute", "value": after.InventoryLevel},
		})
	}
}

// updateProducts is the batch form: up to ten products with their ids, all or none.
func (c *call) updateProducts() reply {
	parts, bad := c.batch()
	if bad != nil {
		return *bad
	}
	var made []*product
	for _, part := range parts {
		var who struct{ ID int64 }
		if err := json.Unmarshal(part, &who); err != nil {
			return c.badJSON(err)
		}
		c.ids = []int64{who.ID}
		p, _ := c.product()
		if p == nil {
			return unprocessable("id", "The product with the id of "+decimal(who.ID)+" was not found.")
		}
		changed, bad := c.patchProduct(p, part)
		if bad != nil {
			return *bad
		}
		made = append(made, changed)
	}
	for _, p := range made {
		c.ids = []int64{p.ID}
		before, at := c.product()
		c.saveProduct(at, before, p)
	}
	return data(productLook{}.all(made))
}

func (c *call) deleteProduct() reply {
	p, at := c.product()
	if p == nil {
		return notFound()
	}
	c.shop.products = slices.Delete(slices.Clone(c.shop.products), at, at+1)
	c.fireGone(p)
	return noContent()
}

func (c *call) fireGone(p *product) {
	c.fire("store/product/deleted", thing{"product", p.ID})
	for _, v := range p.variants {
		c.fireSKU("deleted", v)
	}
}

// deleteProducts deletes by filter; without one BigCommerce refuses.
func (c *call) deleteProducts() reply {
	keep, bad := c.productFilter()
	if bad != nil {
		return *bad
	}
	if len(keep) == 0 {
		return unprocessable("filter", "At least one filter is required to delete products.")
	}
	c.shop.products = slices.DeleteFunc(slices.Clone(c.shop.products), func(p *product) bool {
		gone := keep.match(p)
		if gone {
			c.fireGone(p)
		}
		return gone
	})
	return noContent()
}

// badJSON explains a body that could not be decoded, in the words of BigCommerce's JSON reader.
func (c *call) badJSON(err error) reply {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		want := "error.expected.jsobject"
		switch kind.Type.Kind().String() {
		case "string":
			want = "error.expected.jsstring"
		case "bool":
			want = "error.expected.jsboolean"
		case "int64", "float64":
			want = "error.expected.jsnumber"
		case "slice":
			want = "error.expected.jsarray"
		}
		return unprocessable(kind.Field, want)
	}
	return refuse(http.StatusBadRequest, wordsBadInput)
}

func full(what string) reply {
	return refuse(http.StatusInsufficientStorage, "The store has reached its limit of "+what+".")
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
