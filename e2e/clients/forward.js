'use strict'
// Two libraries that cannot be told another host, through the forward door: node-bigcommerce on
// node:https, and bigcommerce-client on node-fetch.
require('./through-proxy')
const NodeBigCommerce = require('node-bigcommerce')
const BigCommerceClient = require('bigcommerce-client')

const { STORE } = process.env
const token = 'of-no-use-to-anyone'

async function main () {
  const v2 = new NodeBigCommerce({ storeHash: STORE, accessToken: token, clientId: 'none', responseType: 'json' })
  const store = await v2.get('/store')
  const v3 = new NodeBigCommerce({ storeHash: STORE, accessToken: token, clientId: 'none', apiVersion: 'v3' })
  const made = await v3.post('/catalog/products', { name: 'Made through the tunnel', type: 'physical', weight: 1, price: 3 })

  const other = new BigCommerceClient(STORE, token)
  const products = await other.getAll('v3/catalog/products', { limit: 10 })
  await other.delete(`v3/catalog/products/${made.data.id}`)
  console.log(JSON.stringify({ store: store.id, made: made.data.name, names: products.map(p => p.name) }))
}

main().catch(err => { console.error(err); process.exitCode = 1 })
