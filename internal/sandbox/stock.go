package sandbox

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

//go:embed catalogue.json
var catalogueJSON []byte

// First ids. BigCommerce's documentation speaks of product 77, its variant 345 and SKU 902,
// category 23, order 118 and customer 1501 in its webhook examples, so they exist here.
const (
	firstProduct  = 77
	firstVariant  = 345
	firstSKU      = 902
	firstImage    = 377
	firstCategory = 23
	firstBrand    = 35
	firstOrder    = 101
	firstCustomer = 1501
	firstOption   = 112
)

// seed is the embedded catalogue: the same shop for every store.
type seed struct {
	Categories []struct{ Name, Parent, Description string }
	Brands     []string
	Products   []seedProduct
	Customers  []seedCustomer
	Orders     []seedOrder
}

type seedProduct struct {
	Name, SKU, Type, Description, Brand, Keywords string
	Price, Sale, Cost, Weight                     float64
	Categories, Images                            []string
	Sold                                          int64
	Stock                                         *int64
	Featured, Hidden                              bool
	Options                                       []seedOption
}

type seedOption struct {
	Name   string
	Values []seedValue
}

type seedValue struct {
	Label, Code   string
	More, Heavier float64
}

type seedCustomer struct{ First, Last, Email, Company, City, Country string }

type seedOrder struct {
	Customer int
	Status   int64
	Lines    map[string]int64
}

func readSeed() seed {
	var s seed
	if err := json.Unmarshal(catalogueJSON, &s); err != nil {
		panic(fmt.Sprintf("the embedded catalogue is broken: %v", err)) // a test holds it
	}
	return s
}

// opened is when the shop's first product was made.
func opened() time.Time { return time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC) }

// stock makes a store with the seed in it.
func stock(hash string) *shop {
	from := readSeed()
	s := &shop{hash: hash, number: storeNumber(hash)}
	s.next = counters{
		product: firstProduct, variant: firstVariant, sku: firstSKU, image: firstImage,
		order: firstOrder, customer: firstCustomer,
	}
	s.stockGroups(from)
	for i, p := range from.Products {
		s.stockProduct(p, opened().Add(time.Duration(i)*31*time.Hour))
	}
	for i, c := range from.Customers {
		s.stockCustomer(c, opened().Add(time.Duration(i)*200*time.Hour))
	}
	for i, o := range from.Orders {
		s.stockOrder(o, opened().Add(time.Duration(30+i*9)*24*time.Hour))
	}
	return s
}

func (s *shop) stockGroups(from seed) {
	ids := map[string]int64{}
	for i, c := range from.Categories {
		id := int64(firstCategory + i)
		ids[c.Name] = id
		s.groups = append(s.groups, &category{
			ID: id, ParentID: ids[c.Parent], Name: c.Name, Description: c.Description,
			SortOrder: int64(i), IsVisible: true, CustomURL: customURL{URL: "/" + slug(c.Name) + "/"},
		})
	}
	for i, name := range from.Brands {
		s.brands = append(s.brands, &brand{
			ID: int64(firstBrand + i), Name: name, CustomURL: customURL{URL: "/brands/" + slug(name) + "/"},
		})
	}
}

func (s *shop) stockProduct(from seedProduct, at time.Time) {
	p := blankProduct(at)
	p.ID = take(&s.next.product)
	p.Name, p.SKU, p.Description, p.SearchKeywords = from.Name, from.SKU, from.Description, from.Keywords
	p.Type = "physical"
	if from.Type != "" {
		p.Type = from.Type
	}
	p.Price, p.SalePrice, p.CostPrice, p.Weight = from.Price, from.Sale, from.Cost, from.Weight
	p.TotalSold, p.IsFeatured, p.IsVisible = from.Sold, from.Featured, !from.Hidden
	p.InventoryTracking, p.InventoryLevel, p.InventoryWarningLevel = "product", 40+p.ID%35, 5
	if from.Stock != nil {
		p.InventoryLevel = *from.Stock
	}
	for _, name := range from.Categories {
		p.Categories = append(p.Categories, s.groupID(name))
	}
	for _, b := range s.brands {
		if b.Name == from.Brand {
			p.BrandID = b.ID
		}
	}
	for i, text := range from.Images {
		p.images = append(p.images, s.newImage(productImage{
			ProductID: p.ID, Description: text, SortOrder: int64(i), IsThumbnail: i == 0,
		}, at))
	}
	p.variants = s.stockVariants(&p, from.Options)
	p.settle()
	s.products = append(s.products, &p)
}

func (s *shop) groupID(name string) int64 {
	for _, g := range s.groups {
		if g.Name == name {
			return g.ID
		}
	}
	return 0
}

// newImage gives an image its id and addresses. They are under a reserved domain: nothing here
// reaches for the network.
func (s *shop) newImage(image productImage, at time.Time) *productImage {
	image.ID, image.DateModified = take(&s.next.image), at.Format(v3Time)
	if image.ImageFile == "" {
		image.ImageFile = fmt.Sprintf("%c/%03d/%s.jpg", 'a'+rune(image.ID%26), image.ID, slug(image.Description))
	}
	base := fmt.Sprintf("https://cdn.example/s-%s/products/%d/images/%d/", s.hash, image.ProductID, image.ID)
	image.URLZoom, image.URLStandard = base+"image.1280.1280.jpg", base+"image.386.513.jpg"
	image.URLThumbnail, image.URLTiny = base+"image.220.290.jpg", base+"image.44.58.jpg"
	return &image
}

// stockVariants makes a variant of every combination of option values, or the base variant.
func (s *shop) stockVariants(p *product, options []seedOption) []*variant {
	combinations := [][]seedValue{nil}
	for _, o := range options {
		var longer [][]seedValue
		for _, head := range combinations {
			for _, v := range o.Values {
				longer = append(longer, append(slices.Clone(head), v))
			}
		}
		combinations = longer
	}
	var made []*variant
	for _, values := range combinations {
		made = append(made, s.stockVariant(p, options, values))
	}
	return made
}

func (s *shop) stockVariant(p *product, options []seedOption, values []seedValue) *variant {
	v := &variant{ID: take(&s.next.variant), SKU: p.SKU, CostPrice: p.CostPrice, InventoryLevel: p.InventoryLevel}
	sku := take(&s.next.sku)
	v.SKUID = &sku
	price, weight := p.Price, p.Weight
	for i, value := range values {
		v.SKU += "-" + value.Code
		price, weight = price+value.More, weight+value.Heavier
		option := firstOption + 4*(p.ID-firstProduct) + int64(i)
		v.OptionValues = append(v.OptionValues, optionValue{
			ID: option*10 + int64(slices.Index(options[i].Values, value)), Label: value.Label,
			OptionID: option, OptionDisplayName: options[i].Name,
		})
	}
	if price != p.Price {
		v.Price, v.Weight = &price, &weight
	}
	return v
}

func (s *shop) stockCustomer(from seedCustomer, at time.Time) {
	s.customers = append(s.customers, &customer{
		ID: take(&s.next.customer), FirstName: from.First, LastName: from.Last, Email: from.Email,
		Company: from.Company, DateCreated: at.Format(time.RFC3339), DateModified: at.Format(time.RFC3339),
		OriginChannelID: 1, ChannelIDs: []int64{1}, city: from.City, country: from.Country,
	})
}

func (s *shop) stockOrder(from seedOrder, at time.Time) {
	buyer := s.customers[from.Customer]
	o := &order{
		ID: take(&s.next.order), CustomerID: buyer.ID, ChannelID: 1, StatusID: from.Status,
		BillingAddress: buyer.address(), PaymentMethod: "Credit Card", DefaultCurrency: "EUR",
	}
	for _, sku := range slices.Sorted(maps.Keys(from.Lines)) {
		for _, p := range s.products {
			if p.SKU == sku {
				o.lines = append(o.lines, newLine(o.ID, p, from.Lines[sku], len(o.lines)))
			}
		}
	}
	o.settle(s, at)
	s.orders = append(s.orders, o)
}

// take returns the counter and moves it on.
func take(n *int64) int64 {
	*n++
	return *n - 1
}
