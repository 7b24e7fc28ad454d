'use strict'
// Prints a load's JWT that was made 25 hours ago and expired an hour ago, by jsonwebtoken.
const jwt = require('jsonwebtoken')

const { CLIENT_ID, CLIENT_SECRET, STORE } = process.env
const at = Math.floor(Date.now() / 1000) - 25 * 3600
const user = { id: 1000, email: 'owner@example.com' }

console.log(jwt.sign({
  aud: CLIENT_ID,
  iss: 'bc',
  iat: at,
  nbf: at,
  exp: at + 24 * 3600,
  jti: '11111111-1111-4111-8111-111111111111',
  sub: `stores/${STORE}`,
  user: { ...user, locale: 'en-US' },
  owner: user,
  url: '/',
  channel_id: null
}, CLIENT_SECRET, { algorithm: 'HS256' }))
