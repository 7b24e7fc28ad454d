'use strict'
// HTTPS_PROXY for the Node versions that do not read it themselves.
const https = require('node:https')
const { HttpsProxyAgent } = require('https-proxy-agent')

https.globalAgent = new HttpsProxyAgent(process.env.HTTPS_PROXY)
