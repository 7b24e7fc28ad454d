'use strict'
// The app's BigCommerce by node-bigcommerce, which knows no hosts but login.bigcommerce.com and
// api.bigcommerce.com: HTTPS_PROXY is its only way to bcdev.
require('./through-proxy')
const BigCommerce = require('node-bigcommerce')

const { CLIENT_ID, CLIENT_SECRET, AUTH_CALLBACK } = process.env
const config = { clientId: CLIENT_ID, secret: CLIENT_SECRET, callback: AUTH_CALLBACK }

exports.exchange = query => new BigCommerce(config).authorize(query)

exports.verify = query => {
  const payload = new BigCommerce(config).verify(query.signed_payload)
  return { store: payload.store_hash, email: payload.user.email }
}

exports.products = async (store, token) => {
  const api = new BigCommerce({ ...config, storeHash: store, accessToken: token, apiVersion: 'v3' })
  return (await api.get('/catalog/products?limit=5')).data
}
