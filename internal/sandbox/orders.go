package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

func orderRoutes() []route {
	return []route{
		{"GET", "/v2/orders", (*call).listOrders},
		{"POST", "/v2/orders", (*call).createOrder},
		{"GET", "/v2/orders/count", (*call).countOrders},
		{"GET", "/v2/orders/{}", (*call).getOrder},
		{"PUT", "/v2/orders/{}", (*call).updateOrder},
		{"DELETE", "/v2/orders/{}", (*call).archiveOrder},
		{"GET", "/v2/orders/{}/products", (*call).listOrderLines},
		{"GET", "/v2/order_statuses", (*call).listStatuses},
	}
}

func (c *call) listOrders() reply {
	var found []*order
	for _, o := range c.shop.orders {
		keep := o.IsDeleted == (c.query.Get("is_deleted") == "true")
		for name, value := range map[string]int64{
			"status_id": o.StatusID, "customer_id": o.CustomerID, "channel_id": o.ChannelID,
		} {
			if c.query.Has(name) && c.query.Get(name) != decimal(value) {
				keep = false
			}
		}
		low, _ := strconv.ParseInt(c.query.Get("min_id"), 10, 64)
		high, err := strconv.ParseInt(c.query.Get("max_id"), 10, 64)
		if keep && o.ID >= low && (err != nil || o.ID <= high) {
			found = append(found, o)
		}
	}
	if c.query.Get("sort") == "id:desc" || c.query.Get("sort") == "date_created:desc" {
		slices.Reverse(found)
	}
	return listV2(found, c.query)
}

func (c *call) countOrders() reply {
	type count struct {
		ID    int64  `json:"id"`
		Name  string `json:"name"`
		Count int    `json:"count"`
	}
	counts, total := make([]count, len(statusNames())), 0
	for i, name := range statusNames() {
		counts[i] = count{ID: int64(i), Name: name}
	}
	for _, o := range c.shop.orders {
		if !o.IsDeleted {
			counts[o.StatusID].Count++
			total++
		}
	}
	return bare(map[string]any{"statuses": counts, "count": total})
}

func (c *call) listStatuses() reply {
	type status struct {
		ID          int    `json:"id"`
		Name        string `json:"name"`
		SystemLabel string `json:"system_label"`
		Order       int    `json:"order"`
	}
	var all []status
	for i, name := range statusNames() {
		all = append(all, status{i, name, name, i})
	}
	return bare(all)
}

// order returns the order of the path, and its place.
func (c *call) order() (*order, int) {
	at := slices.IndexFunc(c.shop.orders, func(o *order) bool { return o.ID == c.ids[0] })
	if at < 0 {
		return nil, -1
	}
	return c.shop.orders[at], at
}

func (c *call) getOrder() reply {
	o, _ := c.order()
	if o == nil {
		return notFoundV2()
	}
	return bare(o)
}

func (c *call) listOrderLines() reply {
	o, _ := c.order()
	if o == nil {
		return notFoundV2()
	}
	return listV2(o.lines, c.query)
}

// orderInput is what a client may write of an order.
type orderInput struct {
	StatusID        *int64   `json:"status_id"`
	CustomerID      *int64   `json:"customer_id"`
	ChannelID       *int64   `json:"channel_id"`
	BillingAddress  *address `json:"billing_address"`
	StaffNotes      *string  `json:"staff_notes"`
	CustomerMessage *string  `json:"customer_message"`
	PaymentMethod   *string  `json:"payment_method"`
	ExternalID      *string  `json:"external_id"`
	Products        []struct {
		ProductID   int64    `json:"product_id"`
		Name        string   `json:"name"`
		Quantity    int64    `json:"quantity"`
		PriceIncTax *float64 `json:"price_inc_tax"`
	} `json:"products"`
}

func (c *call) readOrder() (orderInput, *reply) {
	var in orderInput
	if err := json.Unmarshal(c.body, &in); err != nil {
		bad := refuseV2(http.StatusBadRequest, "The request body could not be read as JSON: "+err.Error())
		return in, &bad
	}
	if in.StatusID != nil && (*in.StatusID < 0 || *in.StatusID >= int64(len(statusNames()))) {
		bad := refuseV2(http.StatusBadRequest, "The field 'status_id' is invalid.")
		return in, &bad
	}
	return in, nil
}

// apply copies what was given.
func (in orderInput) apply(o *order) {
	for _, f := range []struct {
		at   *int64
		from *int64
	}{{&o.StatusID, in.StatusID}, {&o.CustomerID, in.CustomerID}, {&o.ChannelID, in.ChannelID}} {
		if f.from != nil {
			*f.at = *f.from
		}
	}
	for _, f := range []struct {
		at   *string
		from *string
	}{{&o.StaffNotes, in.StaffNotes}, {&o.CustomerMessage, in.CustomerMessage}, {&o.PaymentMethod, in.PaymentMethod}} {
		if f.from != nil {
			*f.at = *f.from
		}
	}
	if in.ExternalID != nil {
		o.ExternalID = in.ExternalID
	}
	if in.BillingAddress != nil {
		o.BillingAddress = *in.BillingAddress
	}
}

func (c *call) createOrder() reply {
	in, bad := c.readOrder()
	if bad != nil {
		return *bad
	}
	switch {
	case in.BillingAddress == nil:
		return refuseV2(http.StatusBadRequest, "The required field 'billing_address' was not supplied.")
	case len(in.Products) == 0:
		return refuseV2(http.StatusBadRequest, "The required field 'products' was not supplied.")
	case len(in.Products) > 250 || len(c.shop.orders) >= maxThings:
		return refuseV2(http.StatusInsufficientStorage, "The store has reached its limit of orders.")
	}
	o := &order{ChannelID: 1, StatusID: 1, PaymentMethod: "Manual", OrderSource: "external"}
	in.apply(o)
	o.ID = c.shop.next.order
	for i, line := range in.Products {
		c.ids = []int64{line.ProductID}
		p, _ := c.product()
		if p == nil && line.Name != "" && line.PriceIncTax != nil {
			p = &product{Name: line.Name, Type: "physical", CalculatedPrice: *line.PriceIncTax}
		}
		if p == nil || line.Quantity < 1 || line.Quantity > 1e6 || p.CalculatedPrice < 0 || p.CalculatedPrice > maxPrice {
			return refuseV2(http.StatusBadRequest, "The field 'products' is invalid.")
		}
		o.lines = append(o.lines, newLine(o.ID, p, line.Quantity, i))
	}
	c.shop.next.order++
	o.settle(c.shop, c.now)
	c.shop.orders = append(slices.Clone(c.shop.orders), o)
	c.fireOrder("created", o, nil)
	return reply{status: http.StatusCreated, body: o, header: http.Header{
		"Location": {"https://api.bigcommerce.com/stores/" + c.shop.hash + "/v2/orders/" + decimal(o.ID) + ".json"},
	}}
}

// fireOrder fires the store's and the channel's event of one change.
func (c *call) fireOrder(what string, o *order, status any) {
	body := map[string]any{"type": "order", "id": o.ID}
	if status != nil {
		body["status"] = status
	}
	c.fire("store/order/"+what, body)
	c.fire(fmt.Sprintf("store/channel/%d/order/%s", o.ChannelID, what), map[string]any{"order_id": o.ID})
}

func (c *call) updateOrder() reply {
	o, at := c.order()
	if o == nil {
		return notFoundV2()
	}
	in, bad := c.readOrder()
	if bad != nil {
		return *bad
	}
	if in.Products != nil {
		return refuseV2(http.StatusBadRequest, "The field 'products' cannot be changed here.")
	}
	made := *o
	in.apply(&made)
	c.saveOrder(at, &made)
	if made.StatusID != o.StatusID {
		c.fireOrder("statusUpdated", &made, map[string]int64{
			"previous_status_id": o.StatusID, "new_status_id": made.StatusID,
		})
	}
	return bare(&made)
}

func (c *call) saveOrder(at int, made *order) {
	made.settle(c.shop, c.now)
	c.shop.orders = slices.Clone(c.shop.orders)
	c.shop.orders[at] = made
	if !made.IsDeleted {
		c.fireOrder("updated", made, nil)
	}
}

// archiveOrder is DELETE: the order stays and is marked.
func (c *call) archiveOrder() reply {
	o, at := c.order()
	if o == nil {
		return notFoundV2()
	}
	made := *o
	made.IsDeleted = true
	c.saveOrder(at, &made)
	c.fireOrder("archived", &made, nil)
	return noContent()
}
