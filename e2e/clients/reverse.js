'use strict'
// @space48/bigcommerce-api through the API door: its own transport with another base URL.
const http = require('node:http')
const { Management } = require('@space48/bigcommerce-api')
const { fetchTransport } = require('@space48/bigcommerce-api/lib/internal/operation')

const { BC_API_URL, STORE } = process.env

async function main () {
  const client = new Management.V3.Client(fetchTransport({
    baseUrl: `${BC_API_URL}/stores/${STORE}/v3`,
    headers: { 'X-Auth-Token': 'of-no-use-to-anyone' },
    agent: new http.Agent({ keepAlive: true }),
    retry: false
  }))
  const names = []
  for await (const product of client.list('/catalog/products', { query: { limit: 3 } })) names.push(product.name)
  const made = await client.post('/catalog/products', { body: { name: 'Made by a library', type: 'physical', weight: 1, price: 9.5 } })
  const changed = await client.put('/catalog/products/{product_id}', { path: { product_id: made.id }, body: { price: 12.25 } })
  const read = await client.get('/catalog/products/{product_id}', { path: { product_id: made.id } })
  await client.delete('/catalog/products/{product_id}', { path: { product_id: made.id } })
  const gone = await client.get('/catalog/products/{product_id}', { path: { product_id: made.id } })
  console.log(JSON.stringify({ names, made: made.name, changed: changed.price, read: read.price, gone }))
}

main().catch(err => { console.error(err); process.exitCode = 1 })
