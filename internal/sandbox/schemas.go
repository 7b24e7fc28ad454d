package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// The schemas are small parts of BigCommerce's, with its names.
const storefrontSDL = `
type Query { site: Site! customer: Customer }
type Site {
  settings: Settings
  product(entityId: Int, sku: String): Product
  products(first: Int = 10, after: String, entityIds: [Int!]): ProductConnection!
  categoryTree: [CategoryTreeItem!]!
}
type Settings { storeName: String! storeHash: String! status: String! url: UrlField! }
type UrlField { vanityUrl: String! }
type ProductConnection { pageInfo: PageInfo! edges: [ProductEdge!] }
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
type ProductEdge { cursor: String! node: Product! }
type Product {
  entityId: Int! name: String! sku: String! path: String! description: String! plainTextDescription(characterLimit: Int = 120): String!
  brand: Brand prices: Prices defaultImage: Image images: ImageConnection!
}
type Brand { entityId: Int! name: String! path: String! }
type Prices { price: Money! basePrice: Money salePrice: Money }
type Money { value: Float! currencyCode: String! }
type ImageConnection { edges: [ImageEdge!] }
type ImageEdge { node: Image! }
type Image { url(width: Int!, height: Int): String! urlOriginal: String! altText: String! isDefault: Boolean! }
type CategoryTreeItem { entityId: Int! name: String! path: String! productCount: Int! }
type Customer { entityId: Int! email: String! }
`

const adminSDL = `
type Query { store: Store! system: System! }
type Store { name: String! hash: String! metrics: Metrics! }
type Metrics { products: Int! orders: Int! customers: Int! }
type System { time: Int! }
`

// graphs are the two schemas, read once.
type graphs struct{ front, admin *ast.Schema }

func newGraphs() *graphs {
	return &graphs{
		front: gqlparser.MustLoadSchema(&ast.Source{Name: "storefront", Input: storefrontSDL}),
		admin: gqlparser.MustLoadSchema(&ast.Source{Name: "admin", Input: adminSDL}),
	}
}

// storefront answers a storefront query.
func (g *graphs) storefront(body []byte, s *shop, claims storefrontClaims) reply {
	s.mu.Lock()
	view := storefrontView{hash: s.hash, url: s.url(), products: s.products, brands: s.brands, groups: s.groups}
	s.mu.Unlock()
	done := execute(g.front, body, view.root(claims))
	a := bare(done.result)
	a.header = http.Header{"X-Bc-Graphql-Complexity": {strconv.Itoa(done.complexity)}}
	if done.operation != nil {
		a.header.Set("X-Bc-Graphql-Operation-Type", string(done.operation.Operation))
		a.header.Set("X-Bc-Graphql-Operation-Name", done.operation.Name)
	}
	return a
}

// serveAdminGraph is POST /stores/{hash}/graphql. BigCommerce documents no quota headers here.
func (s *Sandbox) serveAdminGraph(w http.ResponseWriter, r *http.Request, shop *shop) {
	if r.Method != http.MethodPost {
		send(w, r, noRoute("/graphql", []string{http.MethodPost}))
		return
	}
	if bad := badForm(r); bad != nil {
		send(w, r, *bad)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		send(w, r, refuse(http.StatusBadRequest, wordsBadInput))
		return
	}
	shop.mu.Lock()
	root := object{
		"store": object{"name": shopName, "hash": shop.hash, "metrics": object{
			"products": len(shop.products), "orders": len(shop.orders), "customers": len(shop.customers),
		}},
		"system": object{"time": s.clock.Now().Unix()},
	}
	shop.mu.Unlock()
	send(w, r, bare(execute(s.graphql.admin, body, root).result))
}

// storefrontView is what shoppers see of a store, at one moment.
type storefrontView struct {
	hash, url string
	products  []*product
	brands    []*brand
	groups    []*category
}

func (v storefrontView) root(claims storefrontClaims) object {
	return object{
		"site": object{
			"settings": object{
				"storeName": shopName, "storeHash": v.hash, "status": "LAUNCHED", "url": object{"vanityUrl": v.url},
			},
			"product":      resolver(v.product),
			"products":     resolver(v.list),
			"categoryTree": v.tree(),
		},
		"customer": resolver(func(map[string]any) (any, *gqlerror.Error) {
			if claims.Private && !slices.Contains(claims.Scopes, "Customer") {
				return nil, &gqlerror.Error{
					Message:    "Access to this field needs another scope.",
					Extensions: map[string]any{"code": "INSUFFICIENT_ACCESS_SCOPE", "requiredScopes": []string{"Customer"}},
				}
			}
			return nil, nil // nobody is logged in
		}),
	}
}

func (v storefrontView) product(args map[string]any) (any, *gqlerror.Error) {
	id, byID := intOf(args["entityId"])
	sku, bySKU := args["sku"].(string)
	for _, p := range v.products {
		if p.IsVisible && ((byID && p.ID == id) || (bySKU && p.SKU == sku)) {
			return v.node(p), nil
		}
	}
	return nil, nil
}

func (v storefrontView) list(args map[string]any) (any, *gqlerror.Error) {
	first, _ := intOf(args["first"])
	if first < 0 || first > 50 {
		return nil, gqlerror.Errorf("The first argument must be between 0 and 50.")
	}
	after, fault := cursorID(args["after"])
	if fault != nil {
		return nil, fault
	}
	wanted, some := args["entityIds"].([]any)
	edges, more := []object{}, false
	for _, p := range v.products {
		if !p.IsVisible || p.ID <= after || (some && !holds(wanted, p.ID)) {
			continue
		}
		if int64(len(edges)) == first {
			more = true
			break
		}
		edges = append(edges, object{"cursor": cursor(p.ID), "node": v.node(p)})
	}
	info := object{"hasNextPage": more, "hasPreviousPage": after > 0}
	if len(edges) > 0 {
		info["startCursor"], info["endCursor"] = edges[0]["cursor"], edges[len(edges)-1]["cursor"]
	}
	return object{"pageInfo": info, "edges": edges}, nil
}

func holds(ids []any, id int64) bool {
	return slices.ContainsFunc(ids, func(one any) bool { n, ok := intOf(one); return ok && n == id })
}

func cursor(id int64) string {
	return base64.StdEncoding.EncodeToString([]byte("product:" + decimal(id)))
}

func cursorID(after any) (int64, *gqlerror.Error) {
	text, ok := after.(string)
	if !ok || text == "" {
		return 0, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	id, numErr := strconv.ParseInt(strings.TrimPrefix(string(raw), "product:"), 10, 64)
	if err != nil || numErr != nil {
		return 0, gqlerror.Errorf("The after argument is not a cursor of this list.")
	}
	return id, nil
}

// intOf reads a GraphQL Int, from a literal or a variable.
func intOf(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	case float64:
		return int64(n), true
	}
	return 0, false
}

var tags = regexp.MustCompile(`<[^>]*>`)

func (v storefrontView) node(p *product) object {
	images := []object{}
	for _, image := range p.images {
		images = append(images, object{"node": imageNode(image)})
	}
	node := object{
		"entityId": p.ID, "name": p.Name, "sku": p.SKU, "path": p.CustomURL.URL, "description": p.Description,
		"plainTextDescription": resolver(func(args map[string]any) (any, *gqlerror.Error) {
			text := []rune(html.UnescapeString(tags.ReplaceAllString(p.Description, "")))
			limit, ok := intOf(args["characterLimit"])
			if ok && limit >= 0 && limit < int64(len(text)) {
				text = text[:limit]
			}
			return string(text), nil
		}),
		"prices": object{"price": euros(p.CalculatedPrice), "basePrice": euros(p.Price)},
		"images": object{"edges": images},
	}
	if p.SalePrice > 0 {
		node["prices"].(object)["salePrice"] = euros(p.SalePrice)
	}
	if image := p.thumbnail(); image != nil {
		node["defaultImage"] = imageNode(image)
	}
	for _, b := range v.brands {
		if b.ID == p.BrandID {
			node["brand"] = object{"entityId": b.ID, "name": b.Name, "path": b.CustomURL.URL}
		}
	}
	return node
}

func euros(value float64) object { return object{"value": value, "currencyCode": "EUR"} }

func imageNode(image *productImage) object {
	return object{
		"urlOriginal": image.URLZoom, "altText": image.Description, "isDefault": image.IsThumbnail,
		"url": resolver(func(args map[string]any) (any, *gqlerror.Error) {
			width, ok := intOf(args["width"])
			if !ok || width < 1 || width > 4096 {
				return nil, gqlerror.Errorf("The width must be between 1 and 4096.")
			}
			return strings.Replace(image.URLZoom, "1280.1280", decimal(width)+"w", 1), nil
		}),
	}
}

func (v storefrontView) tree() []object {
	tree := []object{}
	for _, g := range v.groups {
		count := 0
		for _, p := range v.products {
			if p.IsVisible && slices.Contains(p.Categories, g.ID) {
				count++
			}
		}
		tree = append(tree, object{"entityId": g.ID, "name": g.Name, "path": g.CustomURL.URL, "productCount": count})
	}
	return tree
}
