package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// customer has the fields of BigCommerce's customers V3.
type customer struct {
	ID              int64   `json:"id"`
	Company         string  `json:"company"`
	CustomerGroupID int64   `json:"customer_group_id"`
	Email           string  `json:"email"`
	FirstName       string  `json:"first_name"`
	LastName        string  `json:"last_name"`
	Notes           string  `json:"notes"`
	Phone           string  `json:"phone"`
	TaxExempt       string  `json:"tax_exempt_category"`
	DateCreated     string  `json:"date_created"`
	DateModified    string  `json:"date_modified"`
	AddressCount    int64   `json:"address_count"`
	AttributeCount  int64   `json:"attribute_count"`
	AcceptsReviews  bool    `json:"accepts_product_review_abandoned_cart_emails"`
	OriginChannelID int64   `json:"origin_channel_id"`
	ChannelIDs      []int64 `json:"channel_ids"`

	city, country string
}

// maxBatch is how many customers or products one request may write.
const maxBatch = 10

func customerRoutes() []route {
	return []route{
		{"GET", "/v3/customers", (*call).listCustomers},
		{"POST", "/v3/customers", (*call).createCustomers},
		{"PUT", "/v3/customers", (*call).updateCustomers},
		{"DELETE", "/v3/customers", (*call).deleteCustomers},
		{"GET", "/v2/customers/count", (*call).countCustomers},
	}
}

func (c *customer) address() address {
	return address{
		FirstName: c.FirstName, LastName: c.LastName, Company: c.Company, Email: c.Email,
		Street1: "12 Quay Street", City: c.city, Zip: "10100", CountryISO2: c.country,
	}
}

func (c *call) listCustomers() reply {
	filters, bad := c.idFilter("id:in")
	if bad != nil {
		return *bad
	}
	emails := listOf(c.query.Get("email:in"))
	name := strings.ToLower(c.query.Get("name:like"))
	var found []*customer
	for _, one := range c.shop.customers {
		full := strings.ToLower(one.FirstName + " " + one.LastName)
		if (filters == nil || slices.Contains(filters, one.ID)) &&
			(len(emails) == 0 || slices.Contains(emails, one.Email)) && strings.Contains(full, name) {
			found = append(found, one)
		}
	}
	return listV3(found, c.query)
}

func (c *call) countCustomers() reply {
	return bare(map[string]int{"count": len(c.shop.customers)})
}

// batch reads a body that must be a list of 1 to 10 things.
func (c *call) batch() ([]json.RawMessage, *reply) {
	var parts []json.RawMessage
	if err := json.Unmarshal(c.body, &parts); err != nil {
		bad := c.badJSON(err)
		return nil, &bad
	}
	if len(parts) == 0 || len(parts) > maxBatch {
		bad := refuse(http.StatusUnprocessableEntity, "The batch must hold between 1 and 10 items.")
		return nil, &bad
	}
	return parts, nil
}

func (c *call) createCustomers() reply {
	parts, bad := c.batch()
	if bad != nil {
		return *bad
	}
	var made []*customer
	for _, part := range parts {
		one := &customer{OriginChannelID: 1, ChannelIDs: []int64{1}}
		if err := json.Unmarshal(part, one); err != nil {
			return c.badJSON(err)
		}
		if field := one.missing(); field != "" {
			return unprocessable(field, wordsMissing)
		}
		if c.emailTaken(one.Email, 0) || slices.ContainsFunc(made, func(m *customer) bool { return m.Email == one.Email }) {
			return unprocessable("email", "A customer with the email "+one.Email+" already exists.")
		}
		one.DateCreated = c.now.Format(time.RFC3339)
		one.DateModified = one.DateCreated
		made = append(made, one)
	}
	if len(c.shop.customers)+len(made) > maxThings {
		return full("customers")
	}
	for _, one := range made {
		one.ID = take(&c.shop.next.customer)
		c.shop.customers = append(c.shop.customers, one)
		c.fire("store/customer/created", thing{"customer", one.ID})
	}
	return data(made)
}

func (c *customer) missing() string {
	switch "" {
	case c.Email:
		return "email"
	case c.FirstName:
		return "first_name"
	case c.LastName:
		return "last_name"
	}
	return ""
}

func (c *call) emailTaken(email string, except int64) bool {
	return slices.ContainsFunc(c.shop.customers, func(one *customer) bool {
		return one.ID != except && strings.EqualFold(one.Email, email)
	})
}

func (c *call) updateCustomers() reply {
	parts, bad := c.batch()
	if bad != nil {
		return *bad
	}
	var made []*customer
	for _, part := range parts {
		var who struct{ ID int64 }
		if err := json.Unmarshal(part, &who); err != nil {
			return c.badJSON(err)
		}
		at := slices.IndexFunc(c.shop.customers, func(one *customer) bool { return one.ID == who.ID })
		if at < 0 {
			return unprocessable("id", "Customer with the id of "+decimal(who.ID)+" was not found.")
		}
		one := *c.shop.customers[at]
		one.ChannelIDs = slices.Clone(one.ChannelIDs)
		if err := json.Unmarshal(part, &one); err != nil {
			return c.badJSON(err)
		}
		if field := one.missing(); field != "" || c.emailTaken(one.Email, one.ID) {
			return unprocessable("email", "A customer needs a name and an email address of his own.")
		}
		one.DateCreated, one.DateModified = c.shop.customers[at].DateCreated, c.now.Format(time.RFC3339)
		made = append(made, &one)
	}
	customers := slices.Clone(c.shop.customers)
	for _, one := range made {
		at := slices.IndexFunc(customers, func(old *customer) bool { return old.ID == one.ID })
		customers[at] = one
		c.fire("store/customer/updated", thing{"customer", one.ID})
	}
	c.shop.customers = customers
	return data(made)
}

func (c *call) deleteCustomers() reply {
	ids, bad := c.idFilter("id:in")
	if bad != nil {
		return *bad
	}
	if ids == nil {
		return unprocessable("id:in", wordsMissing)
	}
	c.shop.customers = slices.DeleteFunc(slices.Clone(c.shop.customers), func(one *customer) bool {
		gone := slices.Contains(ids, one.ID)
		if gone {
			c.fire("store/customer/deleted", thing{"customer", one.ID})
		}
		return gone
	})
	return noContent()
}
