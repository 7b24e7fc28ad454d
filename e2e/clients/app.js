'use strict'
// A small BigCommerce app, written as its guides say: Express, a session cookie, and a library for
// the exchange. It holds its installs in memory only, so that every start is an empty one.
const express = require('express')
const session = require('cookie-session')
const { randomBytes } = require('node:crypto')

const bigcommerce = require(process.env.APP_LIBRARY === 'node-bigcommerce' ? './app-sdk' : './app-oauth')
const installs = new Map() // store hash -> access token

const app = express()
app.disable('x-powered-by')
app.use(session({ keys: [randomBytes(32).toString('hex')], maxAge: 3600e3 }))

app.get('/auth', async (req, res) => {
  const grant = await bigcommerce.exchange(req.query)
  const store = grant.context.replace('stores/', '')
  installs.set(store, grant.access_token)
  req.session.store = store
  req.session.email = grant.user.email
  res.redirect('/products')
})

app.get('/load', (req, res) => {
  const visitor = bigcommerce.verify(req.query)
  if (!installs.has(visitor.store)) return res.status(409).send('not installed')
  req.session.store = visitor.store
  req.session.email = visitor.email
  res.send(`welcome, ${visitor.email}`)
})

app.get('/uninstall', (req, res) => {
  installs.delete(bigcommerce.verify(req.query).store)
  res.sendStatus(200)
})

// What the session opens: the store's products, fetched with the token of the install.
app.get('/products', async (req, res) => {
  const { store, email } = req.session
  if (!installs.has(store)) return res.status(401).json({ error: 'no session' })
  const products = await bigcommerce.products(store, installs.get(store))
  res.json({ store, email, products: products.map(p => p.name) })
})

app.get('/installs', (req, res) => res.json([...installs.keys()]))

app.use((err, req, res, next) => {
  const refused = /jwt|signature/i.test(`${err.name} ${err.message}`)
  res.status(refused ? 401 : 502).send(`${err.name}: ${err.message}`)
})

const server = app.listen(Number(process.env.PORT), '127.0.0.1', err => {
  if (err) throw err
  console.log(`listening on ${server.address().port}`)
})
