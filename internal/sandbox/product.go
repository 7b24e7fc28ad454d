package sandbox

import (
	"slices"
	"strings"
	"time"
)

// v3Time is how V3 writes a moment.
const v3Time = "2006-01-02T15:04:05-07:00"

// product has the fields and the order of BigCommerce's catalogue V3.
type product struct {
	ID                    int64           `json:"id"`
	Name                  string          `json:"name"`
	Type                  string          `json:"type"`
	SKU                   string          `json:"sku"`
	Description           string          `json:"description"`
	Weight                float64         `json:"weight"`
	Width                 float64         `json:"width"`
	Depth                 float64         `json:"depth"`
	Height                float64         `json:"height"`
	Price                 float64         `json:"price"`
	CostPrice             float64         `json:"cost_price"`
	RetailPrice           float64         `json:"retail_price"`
	SalePrice             float64         `json:"sale_price"`
	MapPrice              float64         `json:"map_price"`
	TaxClassID            int64           `json:"tax_class_id"`
	ProductTaxCode        string          `json:"product_tax_code"`
	CalculatedPrice       float64         `json:"calculated_price"`
	Categories            []int64         `json:"categories"`
	BrandID               int64           `json:"brand_id"`
	OptionSetID           *int64          `json:"option_set_id"`
	OptionSetDisplay      string          `json:"option_set_display"`
	InventoryLevel        int64           `json:"inventory_level"`
	InventoryWarningLevel int64           `json:"inventory_warning_level"`
	InventoryTracking     string          `json:"inventory_tracking"`
	ReviewsRatingSum      int64           `json:"reviews_rating_sum"`
	ReviewsCount          int64           `json:"reviews_count"`
	TotalSold             int64           `json:"total_sold"`
	FixedCostShipping     float64         `json:"fixed_cost_shipping_price"`
	IsFreeShipping        bool            `json:"is_free_shipping"`
	IsVisible             bool            `json:"is_visible"`
	IsFeatured            bool            `json:"is_featured"`
	RelatedProducts       []int64         `json:"related_products"`
	Warranty              string          `json:"warranty"`
	BinPickingNumber      string          `json:"bin_picking_number"`
	LayoutFile            string          `json:"layout_file"`
	UPC                   string          `json:"upc"`
	MPN                   string          `json:"mpn"`
	GTIN                  string          `json:"gtin"`
	DateLastImported      string          `json:"date_last_imported"`
	SearchKeywords        string          `json:"search_keywords"`
	Availability          string          `json:"availability"`
	AvailabilityNote      string          `json:"availability_description"`
	GiftWrapping          string          `json:"gift_wrapping_options_type"`
	GiftWrappingList      []int64         `json:"gift_wrapping_options_list"`
	SortOrder             int64           `json:"sort_order"`
	Condition             string          `json:"condition"`
	IsConditionShown      bool            `json:"is_condition_shown"`
	OrderMinimum          int64           `json:"order_quantity_minimum"`
	OrderMaximum          int64           `json:"order_quantity_maximum"`
	PageTitle             string          `json:"page_title"`
	MetaKeywords          []string        `json:"meta_keywords"`
	MetaDescription       string          `json:"meta_description"`
	DateCreated           string          `json:"date_created"`
	DateModified          string          `json:"date_modified"`
	ViewCount             int64           `json:"view_count"`
	PreorderReleaseDate   *string         `json:"preorder_release_date"`
	PreorderMessage       string          `json:"preorder_message"`
	IsPreorderOnly        bool            `json:"is_preorder_only"`
	IsPriceHidden         bool            `json:"is_price_hidden"`
	PriceHiddenLabel      string          `json:"price_hidden_label"`
	CustomURL             customURL       `json:"custom_url"`
	BaseVariantID         *int64          `json:"base_variant_id"`
	variants              []*variant      // in order of id
	images                []*productImage // in order of id
}

type customURL struct {
	URL          string `json:"url"`
	IsCustomized bool   `json:"is_customized"`
}

// variant is one purchasable form of a product.
type variant struct {
	ID                int64         `json:"id"`
	ProductID         int64         `json:"product_id"`
	SKU               string        `json:"sku"`
	SKUID             *int64        `json:"sku_id"`
	Price             *float64      `json:"price"`
	CalculatedPrice   float64       `json:"calculated_price"`
	SalePrice         *float64      `json:"sale_price"`
	RetailPrice       *float64      `json:"retail_price"`
	MapPrice          *float64      `json:"map_price"`
	Weight            *float64      `json:"weight"`
	CalculatedWeight  float64       `json:"calculated_weight"`
	IsFreeShipping    bool          `json:"is_free_shipping"`
	FixedCostShipping *float64      `json:"fixed_cost_shipping_price"`
	PurchasingOff     bool          `json:"purchasing_disabled"`
	PurchasingNote    string        `json:"purchasing_disabled_message"`
	ImageURL          string        `json:"image_url"`
	CostPrice         float64       `json:"cost_price"`
	UPC               string        `json:"upc"`
	MPN               string        `json:"mpn"`
	GTIN              string        `json:"gtin"`
	InventoryLevel    int64         `json:"inventory_level"`
	InventoryWarning  int64         `json:"inventory_warning_level"`
	BinPickingNumber  string        `json:"bin_picking_number"`
	OptionValues      []optionValue `json:"option_values"`
}

type optionValue struct {
	ID                int64  `json:"id"`
	Label             string `json:"label"`
	OptionID          int64  `json:"option_id"`
	OptionDisplayName string `json:"option_display_name"`
}

type productImage struct {
	ID           int64  `json:"id"`
	ProductID    int64  `json:"product_id"`
	IsThumbnail  bool   `json:"is_thumbnail"`
	SortOrder    int64  `json:"sort_order"`
	Description  string `json:"description"`
	ImageFile    string `json:"image_file"`
	URLZoom      string `json:"url_zoom"`
	URLStandard  string `json:"url_standard"`
	URLThumbnail string `json:"url_thumbnail"`
	URLTiny      string `json:"url_tiny"`
	DateModified string `json:"date_modified"`
}

type category struct {
	ID          int64     `json:"id"`
	ParentID    int64     `json:"parent_id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Views       int64     `json:"views"`
	SortOrder   int64     `json:"sort_order"`
	PageTitle   string    `json:"page_title"`
	IsVisible   bool      `json:"is_visible"`
	CustomURL   customURL `json:"custom_url"`
}

type brand struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	PageTitle string    `json:"page_title"`
	ImageURL  string    `json:"image_url"`
	CustomURL customURL `json:"custom_url"`
}

// blankProduct has what BigCommerce fills in for a new product.
func blankProduct(now time.Time) product {
	at := now.Format(v3Time)
	return product{
		Categories: []int64{}, RelatedProducts: []int64{-1}, GiftWrappingList: []int64{},
		MetaKeywords: []string{}, OptionSetDisplay: "right", InventoryTracking: "none",
		Availability: "available", GiftWrapping: "any", Condition: "New", IsVisible: true,
		DateCreated: at, DateModified: at,
	}
}

// copyForWriting is a product that can be decoded into without touching the old one.
func (p *product) copyForWriting() product {
	made := *p
	made.Categories = slices.Clone(p.Categories)
	made.RelatedProducts = slices.Clone(p.RelatedProducts)
	made.GiftWrappingList = slices.Clone(p.GiftWrappingList)
	made.MetaKeywords = slices.Clone(p.MetaKeywords)
	return made
}

// settle recomputes what follows from other fields.
func (p *product) settle() {
	p.CalculatedPrice = p.Price
	if p.SalePrice > 0 {
		p.CalculatedPrice = p.SalePrice
	}
	p.Categories, p.RelatedProducts = orEmpty(p.Categories), orEmpty(p.RelatedProducts)
	p.GiftWrappingList, p.MetaKeywords = orEmpty(p.GiftWrappingList), orEmpty(p.MetaKeywords)
	if p.CustomURL.URL == "" {
		p.CustomURL.URL = "/" + slug(p.Name) + "/"
	}
	p.BaseVariantID = nil
	variants := make([]*variant, len(p.variants))
	for i, old := range p.variants {
		v := *old
		v.settle(p)
		variants[i] = &v
	}
	p.variants = variants
	if len(variants) > 0 && len(variants[0].OptionValues) == 0 {
		id := variants[0].ID
		p.BaseVariantID = &id
	}
}

func (v *variant) settle(p *product) {
	v.ProductID, v.CalculatedPrice, v.CalculatedWeight = p.ID, p.CalculatedPrice, p.Weight
	if v.Price != nil {
		v.CalculatedPrice = *v.Price
	}
	if v.SalePrice != nil && *v.SalePrice > 0 {
		v.CalculatedPrice = *v.SalePrice
	}
	if v.Weight != nil {
		v.CalculatedWeight = *v.Weight
	}
	if v.OptionValues == nil {
		v.OptionValues = []optionValue{}
	}
}

// thumbnail is the image a list shows; nil when there is none.
func (p *product) thumbnail() *productImage {
	for _, image := range p.images {
		if image.IsThumbnail {
			return image
		}
	}
	if len(p.images) > 0 {
		return p.images[0]
	}
	return nil
}

// slug is a name as a storefront address.
func slug(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(name) {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			gap = false
			continue
		}
		gap = true
	}
	return b.String()
}
