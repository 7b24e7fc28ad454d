package bigcommerce

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/internal/redact"
)

// The published test vector.
const (
	vectorBody      = `{"scope":"store/order/created","store_id":"1009876","data":{"type":"order","id":118},"hash":"dd544dcd3ed77b0e306fbaade731ca3110651003","created_at":1795000005,"producer":"stores/abc123xyz"}`
	vectorWebhookID = "msg_bcdev000000000000000000001"
	vectorSignature = "v1,p8oILLXk7o+Ud3nHfTJ5loughbWDwNmtBtvdEHj1ROE="
)

func TestTheWebhookVectorIsSignedToTheByte(t *testing.T) {
	got := vectorApp.SignWebhook(vectorWebhookID, issued, []byte(vectorBody))
	want := http.Header{"Webhook-Id": {vectorWebhookID}, "Webhook-Timestamp": {"1795000005"}, "Webhook-Signature": {vectorSignature}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := vectorApp.VerifyWebhook(got, []byte(vectorBody), issued.Add(5*time.Minute)); err != nil {
		t.Error(err)
	}
	if err := vectorApp.VerifyWebhook(got, []byte(vectorBody), issued.Add(-5*time.Minute)); err != nil {
		t.Error(err)
	}
}

func TestVerifyWebhook(t *testing.T) {
	signed := func(change func(http.Header)) http.Header {
		h := vectorApp.SignWebhook(vectorWebhookID, issued, []byte(vectorBody))
		change(h)
		return h
	}
	same := func(http.Header) {}
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	wrongKey := App{ClientSecret: redact.Secret(base64.StdEncoding.EncodeToString([]byte(vectorApp.ClientSecret.Reveal())))}
	for name, c := range map[string]struct {
		app         App
		h           http.Header
		body        string
		at          time.Time
		cause, says string
	}{
		"fine":                               {vectorApp, signed(same), vectorBody, issued, "", ""},
		"fine among others":                  {vectorApp, signed(set(headerSignature, "v1a,x v1,AAAA "+vectorSignature)), vectorBody, issued, "", ""},
		"fine in a header of its own":        {vectorApp, signed(func(h http.Header) { h[headerSignature] = []string{"v1,AAAA", vectorSignature} }), vectorBody, issued, "", ""},
		"nothing":                            {vectorApp, nil, vectorBody, issued, "absent", "no signature"},
		"without an id":                      {vectorApp, signed(set(headerID, "")), vectorBody, issued, "incomplete", "webhook-id is missing"},
		"without time and signature":         {vectorApp, signed(func(h http.Header) { h.Del(headerTimestamp); h.Del(headerSignature) }), vectorBody, issued, "incomplete", "webhook-timestamp and webhook-signature"},
		"a time in words":                    {vectorApp, signed(set(headerTimestamp, "now")), vectorBody, issued, "timestamp", ""},
		"a time in milliseconds":             {vectorApp, signed(set(headerTimestamp, "1795000005000")), vectorBody, issued, "timestamp", ""},
		"a negative time":                    {vectorApp, signed(set(headerTimestamp, "-1")), vectorBody, issued, "timestamp", ""},
		"a changed byte":                     {vectorApp, signed(same), strings.Replace(vectorBody, "118", "119", 1), issued, "mismatch", "does not fit"},
		"another id":                         {vectorApp, signed(set(headerID, "msg_2")), vectorBody, issued, "mismatch", ""},
		"another time":                       {vectorApp, signed(set(headerTimestamp, "1795000006")), vectorBody, issued, "mismatch", ""},
		"another secret":                     {App{ClientSecret: "x"}, signed(same), vectorBody, issued, "mismatch", ""},
		"an empty secret":                    {App{}, emptySigned(), vectorBody, issued, "mismatch", "no client secret"},
		"a line feed at the end":             {vectorApp, signed(same), vectorBody + "\n", issued, "mismatch", "blanks"},
		"base64 of the secret as the key":    {vectorApp, wrongKey.SignWebhook(vectorWebhookID, issued, []byte(vectorBody)), vectorBody, issued, "mismatch", "base64(client_secret)"},
		"a version of tomorrow":              {vectorApp, signed(set(headerSignature, "v2,abc v1a,def")), vectorBody, issued, "version", "v1"},
		"six minutes old":                    {vectorApp, signed(same), vectorBody, issued.Add(6 * time.Minute), "too_old", "6 m old"},
		"a second too old":                   {vectorApp, signed(same), vectorBody, issued.Add(301 * time.Second), "too_old", ""},
		"a second too new":                   {vectorApp, signed(same), vectorBody, issued.Add(-301 * time.Second), "too_new", "5 m 1 s in the future"},
		"a signature that is not base64":     {vectorApp, signed(set(headerSignature, "v1,***")), vectorBody, issued, "mismatch", ""},
		"a signature behind a hundred bad":   {vectorApp, signed(set(headerSignature, strings.Repeat("v1,AAAA ", 100)+vectorSignature)), vectorBody, issued, "mismatch", ""},
		"an old event with a changed number": {vectorApp, signed(same), strings.Replace(vectorBody, "118", "119", 1), issued.Add(time.Hour), "mismatch", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.app.VerifyWebhook(c.h, []byte(c.body), c.at)
			if c.cause == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *SignatureError
			if !errors.As(err, &e) || e.Cause != c.cause || !strings.Contains(e.Text, c.says) || e.Hint() == "" {
				t.Errorf("got %#v", err)
			}
		})
	}
}

// emptySigned signs with an empty key, as a careless implementation would.
func emptySigned() http.Header {
	sum := webhookMAC("", vectorWebhookID, "1795000005", []byte(vectorBody))
	return http.Header{headerID: {vectorWebhookID}, headerTimestamp: {"1795000005"}, headerSignature: {"v1," + base64.StdEncoding.EncodeToString(sum)}}
}

func TestWithoutASecretNothingIsSigned(t *testing.T) {
	if h := (App{}).SignWebhook("id", issued, nil); h.Get(headerSignature) != "" {
		t.Errorf("got %v", h)
	}
}

func TestParseWebhook(t *testing.T) {
	got, err := ParseWebhook([]byte(vectorBody))
	if err != nil {
		t.Fatal(err)
	}
	want := Webhook{
		Scope: "store/order/created", StoreID: "1009876", Data: json.RawMessage(`{"type":"order","id":118}`),
		Hash: "dd544dcd3ed77b0e306fbaade731ca3110651003", CreatedAt: issued, Producer: "stores/abc123xyz", Store: "abc123xyz",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = ParseWebhook([]byte(`{"scope":"store/x","store_id":42,"producer":"stores/../x"}`))
	if err != nil || got.StoreID != "42" || got.Store != "" || !got.CreatedAt.IsZero() || got.Data != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseWebhookRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "hello", "a list": "[]", "no scope": `{"data":{}}`, "two documents": vectorBody + vectorBody,
		"a scope that types": `{"scope":"store/\u001b[31m"}`, "a scope of a novel's length": `{"scope":"` + strings.Repeat("x", 300) + `"}`,
	} {
		if w, err := ParseWebhook([]byte(body)); err == nil || strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%s: got %+v, %v", name, w, err)
		}
	}
}

func TestResource(t *testing.T) {
	for name, c := range map[string]struct{ scope, data, kind, id, path string }{
		"order":                    {"store/order/created", `{"type":"order","id":118}`, "order", "118", "/v2/orders/118"},
		"order of a channel":       {"store/channel/2/order/updated", `{"order_id":118}`, "order", "118", "/v2/orders/118"},
		"refund":                   {"store/order/refund/created", `{"type":"order","id":118,"refund":{"refund_id":3}}`, "order", "118", "/v2/orders/118"},
		"transaction":              {"store/order/transaction/created", `{"type":"transaction","order_id":"118","transaction_id":"9"}`, "transaction", "9", "/v3/orders/118/transactions"},
		"product":                  {"store/product/updated", `{"type":"product","id":77}`, "product", "77", "/v3/catalog/products/77"},
		"product that is gone":     {"store/product/deleted", `{"type":"product","id":77}`, "product", "77", ""},
		"sku":                      {"store/sku/created", `{"type":"sku","id":902,"sku":{"product_id":77,"variant_id":345}}`, "sku", "902", "/v3/catalog/products/77/variants/345"},
		"stock of a sku":           {"store/sku/inventory/updated", `{"type":"sku","id":902,"inventory":{"product_id":77,"variant_id":345}}`, "sku", "902", "/v3/catalog/products/77/variants/345"},
		"category":                 {"store/category/created", `{"type":"category","id":23}`, "category", "23", "/v3/catalog/categories/23"},
		"category of a channel":    {"store/channel/1/category/created", `{"category_id":23,"tree_id":1}`, "category", "23", "/v3/catalog/categories/23"},
		"cart":                     {"store/cart/created", `{"type":"cart","id":"3f1c-9a"}`, "cart", "3f1c-9a", "/v3/carts/3f1c-9a"},
		"line item":                {"store/cart/lineItem/deleted", `{"type":"cart_line_item","id":"7b","cartId":"3f"}`, "cart_line_item", "7b", "/v3/carts/3f"},
		"customer":                 {"store/customer/created", `{"type":"customer","id":1501}`, "customer", "1501", "/v3/customers?id:in=1501"},
		"customer's address":       {"store/customer/address/created", `{"type":"customer","id":880,"address":{"customer_id":1501}}`, "customer_address", "880", "/v3/customers/addresses?id:in=880"},
		"customer's channels":      {"store/customer/channel/login/access/updated", `{"customer_id":1501,"channel_ids":[1]}`, "customer", "1501", "/v3/customers?id:in=1501"},
		"subscriber":               {"store/subscriber/created", `{"type":"subscriber","id":5}`, "subscriber", "5", "/v3/customers/subscribers/5"},
		"shipment":                 {"store/shipment/created", `{"type":"shipment","id":12,"orderId":118}`, "shipment", "12", "/v2/orders/118/shipments/12"},
		"store":                    {"store/information/updated", `{"type":"store"}`, "store", "", "/v2/store"},
		"metafield of a product":   {"store/product/metafield/created", `{"metafield_id":14,"resource_id":"77","resource_type":"product"}`, "metafield", "14", "/v3/catalog/products/77/metafields/14"},
		"metafield of a brand":     {"store/brand/metafield/created", `{"metafield_id":14,"resource_id":"38"}`, "metafield", "14", "/v3/catalog/brands/38/metafields/14"},
		"metafield of a variant":   {"store/product/variant/metafield/created", `{"metafield_id":14,"resource_id":"345","resource_type":"variant"}`, "metafield", "14", ""},
		"price list":               {"store/priceList/created", `{"price_list_id":5}`, "price_list", "5", "/v3/pricelists/5"},
		"price lists":              {"store/priceLists/deleted", `{"price_list_ids":[5,6]}`, "price_list", "5", ""},
		"price list record":        {"store/priceList/record/updated", `{"price_list_id":5,"variant_id":345,"currency":"USD"}`, "price_list_record", "345", "/v3/pricelists/5/records/345/USD"},
		"price list records":       {"store/priceList/records/updated", `[{"price_list_id":5,"variant_id":345,"currency":"USD"}]`, "price_list_record", "345", "/v3/pricelists/5/records/345/USD"},
		"stock at a location":      {"store/channel/*/inventory/product/stock_changed", `{"variant_id":345,"product_id":77,"location_id":2}`, "inventory_item", "345", "/v3/inventory/locations/2/items?variant_id:in=345"},
		"location":                 {"store/inventory/location/created", `{"location_id":2}`, "location", "2", "/v3/inventory/locations?location_id:in=2"},
		"channel":                  {"store/channel/updated", `{"type":"channel","id":2}`, "channel", "2", "/v3/channels/2"},
		"company":                  {"store/company/created", `{"company_id":4200}`, "company", "4200", ""},
		"user of a company":        {"store/company/user/created", `{"company_id":4200,"user_id":61}`, "company_user", "61", ""},
		"webhook":                  {"store/hook/deliveryException", `{"type":"webhook","id":123}`, "webhook", "123", "/v3/hooks/123"},
		"nothing":                  {"store/channel/1/socialMediaLinks/updated", `{}`, "", "", ""},
		"no data at all":           {"store/order/created", ``, "", "", ""},
		"an id that climbs":        {"store/order/created", `{"type":"order","id":"../../v3/hooks"}`, "order", "../../v3/hooks", ""},
		"an id with a query":       {"store/order/created", `{"type":"order","id":"1?x=1"}`, "order", "1?x=1", ""},
		"an id with a line break":  {"store/order/created", `{"type":"order","id":"1\r\n2"}`, "order", `1\r\n2`, ""},
		"an id that is a document": {"store/order/created", `{"type":"order","id":{"id":118}}`, "order", "118", "/v2/orders/118"},
	} {
		t.Run(name, func(t *testing.T) {
			kind, id, path := Webhook{Scope: c.scope, Data: json.RawMessage(c.data)}.Resource()
			if kind != c.kind || id != c.id || path != c.path {
				t.Errorf("got %q, %q, %q", kind, id, path)
			}
		})
	}
}
