'use strict'
// Holds an HTTP Archive to the published JSON schema of HAR 1.2.
const { readFileSync } = require('node:fs')
const validate = require('har-validator')

validate.har(JSON.parse(readFileSync(process.argv[2], 'utf8')))
  .catch(err => { console.error(JSON.stringify(err.errors ?? String(err), null, 1)); process.exitCode = 1 })
