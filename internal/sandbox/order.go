package sandbox

import (
	"fmt"
	"time"
)

// order has the fields of BigCommerce's orders V2 that apps read. Money is text with four
// decimals and dates are RFC 2822, as there.
type order struct {
	ID              int64    `json:"id"`
	CustomerID      int64    `json:"customer_id"`
	DateCreated     string   `json:"date_created"`
	DateModified    string   `json:"date_modified"`
	DateShipped     string   `json:"date_shipped"`
	StatusID        int64    `json:"status_id"`
	Status          string   `json:"status"`
	CustomStatus    string   `json:"custom_status"`
	SubtotalExTax   string   `json:"subtotal_ex_tax"`
	SubtotalIncTax  string   `json:"subtotal_inc_tax"`
	SubtotalTax     string   `json:"subtotal_tax"`
	ShippingExTax   string   `json:"shipping_cost_ex_tax"`
	ShippingIncTax  string   `json:"shipping_cost_inc_tax"`
	ShippingTax     string   `json:"shipping_cost_tax"`
	TotalExTax      string   `json:"total_ex_tax"`
	TotalIncTax     string   `json:"total_inc_tax"`
	TotalTax        string   `json:"total_tax"`
	ItemsTotal      int64    `json:"items_total"`
	ItemsShipped    int64    `json:"items_shipped"`
	PaymentMethod   string   `json:"payment_method"`
	PaymentStatus   string   `json:"payment_status"`
	RefundedAmount  string   `json:"refunded_amount"`
	OrderIsDigital  bool     `json:"order_is_digital"`
	IPAddress       string   `json:"ip_address"`
	CurrencyID      int64    `json:"currency_id"`
	CurrencyCode    string   `json:"currency_code"`
	DefaultCurrency string   `json:"default_currency_code"`
	StaffNotes      string   `json:"staff_notes"`
	CustomerMessage string   `json:"customer_message"`
	DiscountAmount  string   `json:"discount_amount"`
	CouponDiscount  string   `json:"coupon_discount"`
	IsDeleted       bool     `json:"is_deleted"`
	CartID          *string  `json:"cart_id"`
	BillingAddress  address  `json:"billing_address"`
	OrderSource     string   `json:"order_source"`
	ChannelID       int64    `json:"channel_id"`
	ExternalSource  *string  `json:"external_source"`
	ExternalID      *string  `json:"external_id"`
	Products        resource `json:"products"`
	ShippingAddress resource `json:"shipping_addresses"`
	Coupons         resource `json:"coupons"`
	lines           []*orderLine
	cents           int64
	createdAt       time.Time
}

// resource is V2's way to point at a list.
type resource struct {
	URL      string `json:"url"`
	Resource string `json:"resource"`
}

type address struct {
	FirstName   string     `json:"first_name"`
	LastName    string     `json:"last_name"`
	Company     string     `json:"company"`
	Street1     string     `json:"street_1"`
	Street2     string     `json:"street_2"`
	City        string     `json:"city"`
	State       string     `json:"state"`
	Zip         string     `json:"zip"`
	Country     string     `json:"country"`
	CountryISO2 string     `json:"country_iso2"`
	Phone       string     `json:"phone"`
	Email       string     `json:"email"`
	FormFields  []struct{} `json:"form_fields"`
}

type orderLine struct {
	ID          int64  `json:"id"`
	OrderID     int64  `json:"order_id"`
	ProductID   int64  `json:"product_id"`
	VariantID   int64  `json:"variant_id"`
	Name        string `json:"name"`
	SKU         string `json:"sku"`
	Type        string `json:"type"`
	BasePrice   string `json:"base_price"`
	PriceExTax  string `json:"price_ex_tax"`
	PriceIncTax string `json:"price_inc_tax"`
	TotalExTax  string `json:"total_ex_tax"`
	TotalIncTax string `json:"total_inc_tax"`
	Quantity    int64  `json:"quantity"`
	cents       int64
}

// statusNames are the fixed order statuses, by id.
func statusNames() []string {
	return []string{
		"Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined",
		"Awaiting Payment", "Awaiting Pickup", "Awaiting Shipment", "Completed", "Awaiting Fulfillment",
		"Manual Verification Required", "Disputed", "Partially Refunded",
	}
}

func money(cents int64) string { return fmt.Sprintf("%d.%02d00", cents/100, cents%100) }

func newLine(order int64, p *product, quantity int64, place int) *orderLine {
	cents := int64(p.CalculatedPrice*100 + 0.5)
	line := &orderLine{
		ID: order*10 + int64(place), OrderID: order, ProductID: p.ID, Name: p.Name, SKU: p.SKU,
		Type: p.Type, Quantity: quantity, cents: cents * quantity, BasePrice: money(cents),
		PriceExTax: money(cents), PriceIncTax: money(cents),
		TotalExTax: money(cents * quantity), TotalIncTax: money(cents * quantity),
	}
	if len(p.variants) > 0 {
		line.VariantID, line.SKU = p.variants[0].ID, p.variants[0].SKU
	}
	return line
}

// settle computes what follows from status and lines. Shipping is 4.90 below 50, prices hold
// no tax.
func (o *order) settle(s *shop, now time.Time) {
	if o.createdAt.IsZero() {
		o.createdAt = now
	}
	o.DateCreated, o.DateModified = o.createdAt.Format(time.RFC1123Z), now.Format(time.RFC1123Z)
	o.Status, o.CustomStatus = statusNames()[o.StatusID], statusNames()[o.StatusID]
	o.cents, o.ItemsTotal, o.ItemsShipped, o.OrderIsDigital = 0, 0, 0, true
	for _, line := range o.lines {
		o.cents += line.cents
		o.ItemsTotal += line.Quantity
		o.OrderIsDigital = o.OrderIsDigital && line.Type == "digital"
	}
	shipping := int64(0)
	if o.cents < 5000 && !o.OrderIsDigital {
		shipping = 490
	}
	if o.StatusID == 2 || o.StatusID == 10 {
		o.ItemsShipped = o.ItemsTotal
		if o.DateShipped == "" {
			o.DateShipped = o.DateModified
		}
	}
	o.SubtotalExTax, o.SubtotalIncTax, o.SubtotalTax = money(o.cents), money(o.cents), money(0)
	o.ShippingExTax, o.ShippingIncTax, o.ShippingTax = money(shipping), money(shipping), money(0)
	o.TotalExTax, o.TotalIncTax, o.TotalTax = money(o.cents+shipping), money(o.cents+shipping), money(0)
	o.RefundedAmount, o.DiscountAmount, o.CouponDiscount = money(0), money(0), money(0)
	o.CurrencyID, o.CurrencyCode, o.DefaultCurrency, o.IPAddress = 1, "EUR", "EUR", "192.0.2.10"
	if o.OrderSource == "" {
		o.OrderSource = "www"
	}
	o.BillingAddress.FormFields = []struct{}{}
	o.Products, o.ShippingAddress, o.Coupons = o.list(s, "products"), o.list(s, "shipping_addresses"), o.list(s, "coupons")
}

func (o *order) list(s *shop, name string) resource {
	path := fmt.Sprintf("/orders/%d/%s", o.ID, name)
	return resource{"https://api.bigcommerce.com/stores/" + s.hash + "/v2" + path, path}
}
