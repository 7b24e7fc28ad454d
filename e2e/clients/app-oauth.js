'use strict'
// The app's BigCommerce by general libraries, told two base URLs: simple-oauth2 for the exchange,
// jsonwebtoken for the signed payloads, fetch for the API.
const { AuthorizationCode } = require('simple-oauth2')
const jwt = require('jsonwebtoken')

const { CLIENT_ID, CLIENT_SECRET, AUTH_CALLBACK, BC_LOGIN_URL, BC_API_URL, TOKEN_BODY } = process.env

const login = new AuthorizationCode({
  client: { id: CLIENT_ID, secret: CLIENT_SECRET },
  auth: { tokenHost: BC_LOGIN_URL, tokenPath: '/oauth2/token' },
  options: { authorizationMethod: 'body', bodyFormat: TOKEN_BODY || 'form' }
})

exports.exchange = async ({ code, scope, context }) => {
  const { token } = await login.getToken({ code, scope, context, redirect_uri: AUTH_CALLBACK })
  return token
}

exports.verify = query => {
  const payload = jwt.verify(query.signed_payload_jwt, CLIENT_SECRET, {
    algorithms: ['HS256'], audience: CLIENT_ID, issuer: 'bc', maxAge: '1d'
  })
  return { store: payload.sub.replace('stores/', ''), email: payload.user.email }
}

exports.products = async (store, token) => {
  const res = await fetch(`${BC_API_URL}/stores/${store}/v3/catalog/products?limit=5`, {
    headers: { 'X-Auth-Token': token, Accept: 'application/json' }
  })
  if (!res.ok) throw new Error(`the API answered ${res.status}: ${await res.text()}`)
  return (await res.json()).data
}
