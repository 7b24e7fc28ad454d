package vault

import "bcdev/internal/bigcommerce"

// Grant returns the grant of a store by OAuth, for answering an app's own exchange. A token of
// the configuration is no grant.
func (v *Vault) Grant(store string) (bigcommerce.Grant, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.refresh() != nil {
		return bigcommerce.Grant{}, false
	}
	hash, _ := v.resolve(store)
	held := v.grant(hash)
	if held == nil {
		return bigcommerce.Grant{}, false
	}
	g, err := v.openGrant(*held)
	return g, err == nil
}
