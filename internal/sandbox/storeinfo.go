package sandbox

import (
	"slices"
)

func storeRoutes() []route {
	return []route{
		{"GET", "/v2/store", (*call).getStore},
		{"GET", "/v2/time", (*call).getTime},
	}
}

func (c *call) getTime() reply { return bare(map[string]int64{"time": c.now.Unix()}) }

// storeInfo is the object of GET /v2/store, every key BigCommerce documents.
type storeInfo struct {
	ID                  string        `json:"id"`
	AccountUUID         string        `json:"account_uuid"`
	Domain              string        `json:"domain"`
	SecureURL           string        `json:"secure_url"`
	ControlPanelBaseURL string        `json:"control_panel_base_url"`
	Status              string        `json:"status"`
	Name                string        `json:"name"`
	FirstName           string        `json:"first_name"`
	LastName            string        `json:"last_name"`
	Address             string        `json:"address"`
	Country             string        `json:"country"`
	CountryCode         string        `json:"country_code"`
	Region              string        `json:"infrastructure_region"`
	Phone               string        `json:"phone"`
	AdminEmail          string        `json:"admin_email"`
	OrderEmail          string        `json:"order_email"`
	FaviconURL          string        `json:"favicon_url"`
	Timezone            storeZone     `json:"timezone"`
	Language            string        `json:"language"`
	Currency            string        `json:"currency"`
	CurrencySymbol      string        `json:"currency_symbol"`
	DecimalSeparator    string        `json:"decimal_separator"`
	ThousandsSeparator  string        `json:"thousands_separator"`
	DecimalPlaces       int           `json:"decimal_places"`
	SymbolLocation      string        `json:"currency_symbol_location"`
	WeightUnits         string        `json:"weight_units"`
	DimensionUnits      string        `json:"dimension_units"`
	DimensionDecimals   int           `json:"dimension_decimal_places"`
	DimensionPoint      string        `json:"dimension_decimal_token"`
	DimensionThousands  string        `json:"dimension_thousands_token"`
	PlanName            string        `json:"plan_name"`
	PlanLevel           string        `json:"plan_level"`
	PlanIsTrial         bool          `json:"plan_is_trial"`
	Industry            string        `json:"industry"`
	Logo                storeLogo     `json:"logo"`
	PriceWithTax        bool          `json:"is_price_entered_with_tax"`
	StoreID             int64         `json:"store_id"`
	DefaultChannelID    int64         `json:"default_channel_id"`
	DefaultSiteID       int64         `json:"default_site_id"`
	ComparisonModules   []string      `json:"active_comparison_modules"`
	Features            storeFeatures `json:"features"`
}

type storeLogo struct {
	URL string `json:"url"`
}

type storeZone struct {
	Name          string          `json:"name"`
	RawOffset     int             `json:"raw_offset"`
	DSTOffset     int             `json:"dst_offset"`
	DSTCorrection bool            `json:"dst_correction"`
	DateFormat    storeDateFormat `json:"date_format"`
}

type storeDateFormat struct {
	Display         string `json:"display"`
	Export          string `json:"export"`
	ExtendedDisplay string `json:"extended_display"`
}

type storeFeatures struct {
	Stencil         bool        `json:"stencil_enabled"`
	HTTPS           bool        `json:"sitewidehttps_enabled"`
	FacebookCatalog string      `json:"facebook_catalog_id"`
	CheckoutType    string      `json:"checkout_type"`
	Wishlists       bool        `json:"wishlists_enabled"`
	GraphQL         bool        `json:"graphql_storefront_api_enabled"`
	Consent         bool        `json:"shopper_consent_tracking_enabled"`
	MultiStorefront bool        `json:"multi_storefront_enabled"`
	Limits          storeLimits `json:"storefront_limits"`
}

type storeLimits struct {
	Active int `json:"active"`
	Total  int `json:"total_including_inactive"`
}

// shopName is the name of every sandbox store.
const shopName = "Harbour & Leaf"

func (c *call) getStore() reply {
	host := "store-" + c.shop.hash + ".mybigcommerce.com"
	return bare(storeInfo{
		ID: c.shop.hash, AccountUUID: accountUUID, Domain: host, SecureURL: c.shop.url(),
		ControlPanelBaseURL: c.shop.url(), Status: "prelaunch", Name: shopName,
		FirstName: "Jonna", LastName: "Reed", Address: "Old Rope Loft\n3 Quay Street",
		Country: "Ireland", CountryCode: "IE", Region: "europe-west1", Phone: "+353 91 000 000",
		AdminEmail: owner().Email, OrderEmail: owner().Email,
		Timezone: storeZone{
			Name: "Europe/London", DSTOffset: 3600,
			DateFormat: storeDateFormat{"jS M Y", "M jS Y", "M jS Y @ g:i A"},
		},
		Language: "en", Currency: "EUR", CurrencySymbol: "€", DecimalSeparator: ".",
		ThousandsSeparator: ",", DecimalPlaces: 2, SymbolLocation: "left", WeightUnits: "KGS",
		DimensionUnits: "Centimeters", DimensionDecimals: 2, DimensionPoint: ".",
		DimensionThousands: ",", PlanName: "Partner Sandbox", PlanLevel: "Partner Sandbox",
		Industry: "Food & Drink", PriceWithTax: true, StoreID: c.shop.number, DefaultChannelID: 1,
		DefaultSiteID: 1000, ComparisonModules: []string{},
		Features: storeFeatures{
			Stencil: true, HTTPS: true, CheckoutType: "optimized", Wishlists: true, GraphQL: true,
			MultiStorefront: true, Limits: storeLimits{1, 5},
		},
	})
}

func (c *call) listCategories() reply {
	name := c.query.Get("name")
	var found []*category
	for _, g := range c.shop.groups {
		if name == "" || g.Name == name {
			found = append(found, g)
		}
	}
	return listV3(found, c.query)
}

func (c *call) getCategory() reply {
	at := slices.IndexFunc(c.shop.groups, func(g *category) bool { return g.ID == c.ids[0] })
	if at < 0 {
		return notFound()
	}
	return data(c.shop.groups[at])
}

func (c *call) listBrands() reply { return listV3(c.shop.brands, c.query) }

func (c *call) getBrand() reply {
	at := slices.IndexFunc(c.shop.brands, func(b *brand) bool { return b.ID == c.ids[0] })
	if at < 0 {
		return notFound()
	}
	return data(c.shop.brands[at])
}

// catalogueSummary is the object of GET /v3/catalog/summary.
type catalogueSummary struct {
	InventoryCount   int64   `json:"inventory_count"`
	VariantCount     int     `json:"variant_count"`
	InventoryValue   float64 `json:"inventory_value"`
	HighestPrice     float64 `json:"highest_variant_price"`
	AveragePrice     float64 `json:"average_variant_price"`
	LowestPrice      float64 `json:"lowest_variant_price"`
	OldestImport     *string `json:"oldest_variant_date"`
	NewestImport     *string `json:"newest_variant_date"`
	PrimaryCategory  int64   `json:"primary_category_id"`
	PrimaryGroupName string  `json:"primary_category_name"`
}

func (c *call) summary() reply {
	s := catalogueSummary{PrimaryCategory: c.shop.groups[0].ID, PrimaryGroupName: c.shop.groups[0].Name}
	var sum float64
	for _, p := range c.shop.products {
		s.InventoryCount += p.InventoryLevel
		s.InventoryValue += float64(p.InventoryLevel) * p.CalculatedPrice
		for _, v := range p.variants {
			if s.VariantCount == 0 || v.CalculatedPrice < s.LowestPrice {
				s.LowestPrice = v.CalculatedPrice
			}
			s.HighestPrice = max(s.HighestPrice, v.CalculatedPrice)
			s.VariantCount++
			sum += v.CalculatedPrice
		}
	}
	if s.VariantCount > 0 {
		s.AveragePrice = sum / float64(s.VariantCount)
	}
	return data(s)
}
