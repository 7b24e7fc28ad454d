// What a page can try against a local address without asking anybody: called with a base URL, it
// resolves to what it could read, by way. Nothing here waits longer than two seconds.
async (base, paths) => {
  const got = {}
  const soon = p => Promise.race([p, new Promise((_, no) => setTimeout(no, 2000, 'late'))])
  const attempt = async (way, f) => { try { got[way] = String(await soon(f()) ?? '') } catch (e) { got[way] = '' } }
  const [read, write] = paths.map(p => base + p)
  const text = async (url, o) => (await fetch(url, o)).text()
  const body = '{"name":"from a stranger","type":"physical","weight":1,"price":1}'

  await attempt('fetch', () => text(read))
  await attempt('fetch with cookies', () => text(read, { credentials: 'include' }))
  await attempt('fetch without cors', () => text(read, { mode: 'no-cors' }))
  await attempt('post of JSON', () => text(write, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }))
  await attempt('post of text', () => text(write, { method: 'POST', body, mode: 'no-cors' }))
  await attempt('delete', () => text(write + '/1', { method: 'DELETE' }))
  await attempt('put with headers', () => text(write + '/1', { method: 'PUT', body, headers: { 'X-Auth-Token': 'x', 'X-HTTP-Method-Override': 'POST' } }))
  await attempt('beacon', () => { navigator.sendBeacon(write, body); return '' })

  await attempt('xhr', () => new Promise((yes, no) => {
    const x = new XMLHttpRequest()
    x.onload = () => yes(x.responseText)
    x.onerror = no
    x.open('GET', read)
    x.send()
  }))
  await attempt('event source', () => new Promise((yes, no) => {
    const s = new EventSource(read)
    s.onmessage = e => yes(e.data)
    s.onerror = () => { s.close(); no() }
  }))
  await attempt('socket', () => new Promise((yes, no) => {
    const s = new WebSocket(read.replace('http', 'ws'))
    s.onopen = () => yes('open')
    s.onerror = no
  }))

  const load = (name, fill) => () => new Promise((yes, no) => {
    const e = document.createElement(name)
    e.onload = () => yes(name === 'iframe' ? inside(e) : name === 'img' ? e.naturalWidth || '' : '')
    e.onerror = no
    fill(e)
    document.body.append(e)
  })
  const inside = frame => { try { return frame.contentDocument.body.innerText } catch { return '' } }
  await attempt('image', load('img', e => { e.src = read }))
  await attempt('script', load('script', e => { e.src = read }))
  await attempt('style', load('link', e => { e.rel = 'stylesheet'; e.href = read }))
  await attempt('frame', load('iframe', e => { e.src = read }))
  await attempt('frame of no origin', load('iframe', e => {
    e.sandbox = 'allow-scripts allow-forms'
    e.srcdoc = `<script>fetch(${JSON.stringify(read)}).catch(() => {})</script>`
  }))

  for (const [way, method, enctype] of [['form get', 'get', ''], ['form post', 'post', 'application/x-www-form-urlencoded'],
    ['form post of text', 'post', 'text/plain'], ['form post of parts', 'post', 'multipart/form-data']]) {
    await attempt(way, load('iframe', e => {
      e.name = way
      const form = document.createElement('form')
      Object.assign(form, { method, enctype, action: method === 'get' ? read : write, target: way })
      form.innerHTML = '<input name="{&quot;name&quot;:&quot;form&quot;,&quot;x&quot;:&quot;" value="&quot;}">'
      document.body.append(form)
      setTimeout(() => form.submit(), 50)
    }))
  }
  return got
}
