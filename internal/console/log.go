package console

import (
	"time"

	"bcdev/capture"
	"bcdev/internal/bigcommerce"
)

// Callback shows an auth callback as soon as it is kept, before anything is done with it.
func (c *Console) Callback(e capture.Exchange, in bigcommerce.Install, missing, extra []string) {}

// Lifecycle shows a load, uninstall or remove_user callback: who, when by this machine's clock,
// and whether the signature holds. The payload may be half empty when err is not nil.
func (c *Console) Lifecycle(e capture.Exchange, p bigcommerce.Payload, err error) {}

// Granted shows what the token endpoint gave, the token as its tail.
func (c *Console) Granted(e capture.Exchange, g bigcommerce.Grant, where string, again bool) {}

// Refused shows why a callback led to nothing.
func (c *Console) Refused(e capture.Exchange, err error) {}

// Exchange shows an API call.
func (c *Console) Exchange(e capture.Exchange) {}

// Webhook shows a delivery from BigCommerce, and what its signature is worth.
func (c *Console) Webhook(e capture.Exchange, w bigcommerce.Webhook, signature error) {}

// Delivery shows what the local app answered.
func (c *Console) Delivery(e capture.Exchange) {}

// Link shows the tunnel's state: "up" only while requests can arrive.
func (c *Console) Link(state string, since time.Time, detail string) {}

// Quota warns that a store's calls run out.
func (c *Console) Quota(store string, left, limit int, reset time.Duration) {}
