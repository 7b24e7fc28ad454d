package sandbox

import (
	"hash/crc32"
	"sync"

	"bcdev/internal/bigcommerce"
)

// shop is one store. Its products, orders and customers are shared with the seed until they
// are written: whoever changes one puts a new value in its place and never changes the old.
type shop struct {
	hash   string
	number int64 // store_id

	mu        sync.Mutex
	quota     quota
	products  []*product // by id, as all lists here
	brands    []*brand
	groups    []*category
	orders    []*order
	customers []*customer
	next      counters
}

// counters are the next free ids.
type counters struct{ product, variant, sku, image, order, customer int64 }

// openShop returns a store, a new one when the hash is new; nil when the hash cannot be one or
// there are too many.
func (s *Sandbox) openShop(hash string) *shop {
	if !bigcommerce.ValidStoreHash(hash) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.shops[hash]; found != nil {
		return found
	}
	if len(s.shops) >= maxStores {
		return nil
	}
	made := stock(hash)
	s.shops[hash] = made
	return made
}

func (s *Sandbox) findShop(hash string) *shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shops[hash]
}

// storeNumber is a store's number, the same for the same hash.
func storeNumber(hash string) int64 {
	return 1000000 + int64(crc32.ChecksumIEEE([]byte(hash))%8999999)
}

func (s *shop) url() string { return "https://store-" + s.hash + ".mybigcommerce.com" }
