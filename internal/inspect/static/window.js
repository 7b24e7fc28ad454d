// The window's own script: it patches rows in as they arrive, and sends what the reader asks for.
// Every HTML it inserts was made by the server's templates, which escape what strangers sent.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const body = document.body;
const filter = body.dataset.filter || "";
document.documentElement.classList.add("js");

// Times are shown in the reader's own zone.
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "medium" });
function localTimes(root) {
  for (const t of $$("time[datetime]", root)) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
    t.textContent = (t.dataset.as === "clock" ? clock : full).format(at);
    t.title = full.format(at) + " " + Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}

function say(text) { $("#said").textContent = text; }

async function ask(url, options = {}) {
  const response = await fetch(url, { ...options, headers: { "Bcdev-Window": "1", ...options.headers } });
  if (response.ok) return response;
  let problem = { message: "bcdev answered " + response.status, hint: "" };
  try { problem = (await response.json()).error; } catch { /* not ours */ }
  throw Object.assign(new Error(problem.message), { code: problem.code, hint: problem.hint });
}
const send = (url, value) => ask(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

function element(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}
function problem(into, error) {
  const p = element("p", "problem", error.code ? error.message : "bcdev cannot be reached");
  if (error.hint) p.append(element("span", "hint", error.hint));
  into.replaceChildren(p);
}

// --- the list -------------------------------------------------------------------------------
const rows = $("#rows"), scroller = $("#scroll"), fresh = $("#new");
const mostRows = 300;
let waiting = new Map(), held = new Map(), drawing = false;

matchMedia("(min-width: 900px)").addEventListener("change", (now) => { if ($("#where")) $("#where").open = now.matches; });
function wide() { return matchMedia("(min-width: 900px)").matches; }
function reading() {
  const focused = document.activeElement;
  return (wide() ? scroller.scrollTop > 8 : scrollY > scroller.offsetTop + 8)
    || (rows.contains(focused) && focused.closest("li") !== rows.firstElementChild)
    || new URLSearchParams(location.search).has("before");
}
function arrived(exchange) {
  waiting.set(exchange.id, exchange);
  if (!drawing) { drawing = true; setTimeout(() => requestAnimationFrame(draw), 80); }
}
function toRow(exchange) {
  const t = document.createElement("template");
  t.innerHTML = exchange.html;
  const li = t.content.firstElementChild;
  localTimes(li);
  if (chosen.has(li.dataset.id)) $("a", li).classList.add("marked");
  if (li.dataset.id === current()) $("a", li).setAttribute("aria-current", "true");
  return li;
}
function draw() {
  drawing = false;
  const batch = [...waiting.values()].sort((a, b) => a.id - b.id);
  waiting = new Map();
  for (const exchange of batch) {
    const old = document.getElementById("x" + exchange.id);
    if (old) {
      const focused = old.contains(document.activeElement);
      const li = toRow(exchange);
      old.replaceWith(li);
      if (focused) $("a", li).focus({ preventScroll: true });
    } else if (newestRow() < exchange.id) held.set(exchange.id, exchange);
  }
  if (held.size && !reading()) release(); else count();
}
function newestRow() { return Number(rows.firstElementChild?.dataset.id || 0); }
function count() {
  fresh.hidden = !held.size;
  fresh.textContent = held.size + " new";
}
function release() {
  const all = [...held.values()].sort((a, b) => b.id - a.id), news = all.slice(0, mostRows);
  held = new Map();
  const made = document.createDocumentFragment();
  for (const exchange of news) {
    const li = toRow(exchange);
    $("a", li).classList.add("fresh");
    made.append(li);
  }
  rows.prepend(made);
  $("#empty")?.remove();
  while (rows.children.length > mostRows) rows.lastElementChild.remove();
  count();
  announce(all.length);
}
let announced = 0, announcing = 0;
function announce(n) {
  announced += n;
  if (announcing) return;
  announcing = setTimeout(() => { say(announced + (announced === 1 ? " new exchange" : " new exchanges")); announced = announcing = 0; }, 1500);
}
async function reload() {
  try {
    const list = await (await ask("/api/exchanges?rows=1&q=" + encodeURIComponent(filter))).json();
    if (reading()) { for (const exchange of list.exchanges) arrived(exchange); return; }
    rows.replaceChildren(...list.exchanges.map(toRow)); // no hole is left between these and older ones
    olderThan(list.before);
    held = new Map();
    count();
  } catch { /* the stream will say so */ }
}
async function older(event) {
  event.preventDefault();
  const link = $("#older"), before = new URL(link.href).searchParams.get("before");
  const list = await (await ask(`/api/exchanges?rows=1&before=${before}&q=${encodeURIComponent(filter)}`)).json();
  const made = document.createDocumentFragment();
  for (const exchange of list.exchanges) made.append(toRow(exchange));
  const first = made.firstElementChild;
  rows.append(made);
  if (first) $("a", first).focus();
  olderThan(list.before);
}
function olderThan(before) {
  const p = $(".older"), link = $("#older") || element("a", "", "Older");
  link.id = "older";
  link.href = `/?before=${before}&q=${encodeURIComponent(filter)}`;
  p.replaceChildren(...(before ? [link] : []));
}

// What was chosen is exported instead of all that the filter finds.
const chosen = new Set();
function mark(row) {
  const id = row.closest("li").dataset.id;
  if (!chosen.delete(id)) chosen.add(id);
  row.classList.toggle("marked", chosen.has(id));
  $("#export summary").textContent = chosen.size ? `Export ${chosen.size} chosen` : "Export";
  for (const a of $$("#export a")) {
    a.dataset.all ||= a.getAttribute("href");
    a.setAttribute("href", chosen.size ? a.dataset.all.replace(/&q=.*$/, "") + "&ids=" + [...chosen].join(",") : a.dataset.all);
  }
  say(chosen.size + " chosen");
}

// --- what the head shows --------------------------------------------------------------------
let status = null, skew = 0, late = 0;
function heard(s) {
  status = s;
  skew = Date.now() - Date.parse(s.now);
  const link = $("#link");
  link.dataset.state = s.link.state;
  meters(s.stores);
  $("#queue").hidden = !s.waiting.count;
  $("#queue").textContent = s.waiting.count ? `${s.waiting.count} waiting for the local app; BigCommerce has its 200 already` : "";
  tick();
}
function meters(stores) {
  const box = $("#meters");
  box.replaceChildren(...stores.map((s) => {
    const q = s.quota, span = element("span", "quota");
    span.title = s.store + (s.read_only ? ", read-only" : "");
    span.append(element("span", "store", s.alias || s.store));
    if (!q) { span.append(element("span", "faint", "no call yet")); return span; }
    const over = Date.now() - skew > Date.parse(q.at) + q.reset_ms;
    const left = over ? q.limit : q.left;
    span.classList.toggle("low", q.limit > 0 && left * 5 < q.limit);
    const m = element("meter", "", `${left} of ${q.limit}`);
    m.min = 0; m.max = q.limit; m.low = q.limit / 5; m.optimum = q.limit; m.value = left;
    m.setAttribute("aria-label", "calls left");
    span.append(m, element("span", "num", `${left}/${q.limit}`));
    return span;
  }));
}
function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min" : Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
}
function tick() {
  if (!status) return;
  const { link } = status, now = Date.now() - skew;
  let words = link.state ? (link.provider === "none" ? "own tunnel, listening" : "tunnel " + link.state) : "no tunnel";
  if (link.state && link.state !== "up" && link.since) words += " for " + age(now - Date.parse(link.since));
  const beat = link.last_beat ? now - Date.parse(link.last_beat) : -1;
  if (link.state === "up" && link.provider !== "none" && beat >= 0) words += " · heard " + age(beat) + " ago";
  $("#link").dataset.late = link.provider !== "none" && beat > 30000 ? "1" : "";
  if ($("#link-words").textContent !== words) $("#link-words").textContent = words;
  if (++late % 5 === 0) meters(status.stores);
}
setInterval(tick, 1000);

// --- the stream -----------------------------------------------------------------------------
let stream = null, last = "", lost = 0;
function listen() {
  if (stream || document.hidden) return;
  const q = new URLSearchParams({ rows: "1", q: body.dataset.bad ? "" : filter });
  const from = last || newestKnown();
  if (from !== "") q.set("after", from);
  stream = new EventSource("/api/events?" + q);
  stream.onopen = () => { back(); };
  stream.onerror = () => { gone(); stream?.close(); stream = null; setTimeout(listen, 1000); };
  stream.addEventListener("exchange", (event) => {
    last = event.lastEventId || last;
    if (rows && !body.dataset.bad) arrived(JSON.parse(event.data));
    changed(JSON.parse(event.data));
  });
  stream.addEventListener("reset", (event) => { last = event.lastEventId || last; if (rows) reload(); });
  stream.addEventListener("status", (event) => heard(JSON.parse(event.data)));
}
// What came between the page and the stream is told, too: also when the list was empty.
function newestKnown() { return rows && !body.dataset.bad && !new URLSearchParams(location.search).has("before") ? String(newestRow()) : ""; }
async function gone() {
  if (!lost) lost = Date.now();
  const banner = $("#stopped");
  let text = "bcdev stopped — this page comes back by itself";
  try {
    const response = await fetch("/api/status", { headers: { "Bcdev-Window": "1" } });
    if (response.status === 401) text = "bcdev was started anew with another key — open the address it shows in the terminal";
    else if (response.ok) return;
  } catch { /* not there */ }
  if (!lost) return;
  if (banner.hidden || banner.textContent !== text) { banner.hidden = false; banner.textContent = text; }
  $("#link").dataset.state = "";
  $("#link-words").textContent = "bcdev is not running";
  status = null;
}
function back() {
  if (lost) say("bcdev is back");
  lost = 0;
  $("#stopped").hidden = true;
}
// A hidden tab needs no stream, and a browser has only six connections for all tabs of a host.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { stream?.close(); stream = null; } else listen();
});

// --- one exchange ---------------------------------------------------------------------------
const pane = $("#pane");
function current() { return (location.pathname.match(/^\/exchanges\/(\d+)$/) || [])[1] || ""; }
async function show(url, push = true) {
  const tab = location.hash.slice(1);
  let html;
  try { html = await (await ask(url, { headers: { "Bcdev-Fragment": "1", Accept: "text/html" } })).text(); }
  catch (error) { if (!error.code) { location.href = url; return; } problem(pane, error); return; }
  if (push) history.pushState(null, "", url + (tab && tab !== "replay" ? "#" + tab : ""));
  shown = location.pathname;
  pane.innerHTML = html;
  pane.scrollTop = 0;
  $(".split").classList.toggle("has-one", location.pathname !== "/");
  for (const a of $$(".row[aria-current]", rows)) a.removeAttribute("aria-current");
  $(`#x${current() || 0} .row`)?.setAttribute("aria-current", "true");
  document.title = (current() ? "#" + current() : "Exchanges") + " · bcdev";
  dress(pane);
  if (!wide()) scrollTo(0, 0);
}
// An exchange that is shown while its answer arrives is shown anew.
let stale = 0;
function changed(exchange) {
  if (!pane || String(exchange.id) !== current() || location.hash === "#replay" || pane.contains(document.activeElement)) return;
  clearTimeout(stale);
  stale = setTimeout(() => show(location.pathname + location.search, false), 150);
}
function dress(root) {
  localTimes(root);
  const where = $("#where", root); // on a narrow screen the list comes first
  if (where) {
    where.open = wide();
    where.addEventListener("toggle", () => where.classList.toggle("opened", where.open));
    $("summary", where).addEventListener("click", (event) => { if (wide()) event.preventDefault(); });
  }
  const tabs = $$("[role=tab]", root);
  if (!tabs.length) return;
  tabs[0].closest(".one").classList.add("tabbed");
  choose(tabs.some((t) => t.dataset.tab === location.hash.slice(1)) ? location.hash.slice(1) : tabs[0].dataset.tab);
}
function choose(name, focus) {
  for (const tab of $$("[role=tab]", pane)) {
    const on = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
    $("#panel-" + tab.dataset.tab, pane).hidden = !on;
    if (on && focus) tab.focus();
  }
}
function turn(name, focus) {
  history.replaceState(null, "", "#" + name);
  choose(name, focus);
  if (name === "replay") $("#panel-replay .main", pane)?.focus();
}

async function copy(text, button) {
  try { await navigator.clipboard.writeText(text); }
  catch { // not a secure context
    const t = element("textarea");
    t.value = text;
    body.append(t);
    t.select();
    document.execCommand("copy");
    t.remove();
  }
  say("copied");
  if (!button) return;
  const was = button.textContent;
  button.textContent = "copied";
  setTimeout(() => { button.textContent = was; }, 1200);
}
async function copyAs(button) {
  const id = button.closest(".one").dataset.one;
  try { await copy(await (await ask(`/api/exchanges/${id}/export?as=${button.dataset.as}`)).text(), button); }
  catch (error) { say(error.message); button.textContent = error.message; }
}

// --- acting ---------------------------------------------------------------------------------
function lines(text, separator) {
  const pairs = [];
  for (const line of (text || "").split("\n")) {
    const at = line.indexOf(separator);
    if (line.trim() && at < 1) throw Object.assign(new Error(`"${line.trim()}" has no ${separator}`), { code: "bad_line", hint: "one name and value in a line" });
    if (line.trim()) pairs.push([line.slice(0, at).trim(), line.slice(at + 1).trim()]);
  }
  return pairs;
}
function headersOf(text) {
  const headers = {};
  for (const [name, value] of lines(text, ":")) (headers[name] ||= []).push(value);
  return headers;
}
function setOf(form) {
  const set = {}, f = form.elements;
  for (const name of ["method", "path", "query", "body"]) {
    const field = f[name];
    if (field && !field.disabled && field.value !== field.defaultValue) set[name] = field.value;
  }
  for (const [name, value] of lines(f.headers?.value, ":")) set["header." + name] = value;
  for (const [name, value] of lines(f.set?.value, "=")) set[name] = value;
  return set;
}
async function confirmed(question, act) {
  try { return await act(false); }
  catch (error) {
    if (error.code !== "confirm" || !confirm(question)) throw error;
    return act(true);
  }
}
async function busy(form, into, act) {
  const button = $("button.main", form);
  button.disabled = true;
  into.replaceChildren(element("p", "faint", "under way…"));
  try { await act(); } catch (error) { problem(into, error); }
  button.disabled = false;
  button.focus({ preventScroll: true });
}
function outcome(into, list) {
  into.replaceChildren(...list.map((r, i) => {
    const box = element("div"), p = element("p", "line");
    if (list.length > 1) p.append(`${i + 1}. `);
    p.append(element("span", "status s" + Math.floor(r.status / 100), r.status ? String(r.status) : "no answer"), ` in ${Math.round(r.ms)} ms `);
    if (r.verdict && (r.before || r.verdict !== "same")) p.append(element("span", "verdict " + r.verdict, r.verdict.toUpperCase()), r.before_status ? ` (was ${r.before_status}) ` : " ");
    if (r.id) { const a = element("a", "", "#" + r.id); a.href = "/exchanges/" + r.id; p.append(a); }
    if (r.id && r.before) { const a = element("a", "quietlink", "diff with the attempt before"); a.href = `/exchanges/${r.before}/diff/${r.id}`; p.append(" · ", a); }
    box.append(p);
    if (r.failed || r.error) box.append(element("p", "problem", r.failed || r.error));
    if (r.resigned?.length) box.append(element("p", "faint", "signed anew: " + r.resigned.join(", ")));
    if (r.differences?.length) { const d = element("details"); d.append(element("summary", "", "what was sent differently"), element("pre", "", r.differences.join("\n"))); box.append(d); }
    if (r.diff) { const d = element("details"); d.append(element("summary", "", "the answers' bodies"), element("pre", "", r.diff)); box.append(d); }
    return box;
  }));
}
function replay(form) {
  const into = $(".result", form), f = form.elements;
  busy(form, into, async () => {
    const request = { set: setOf(form), times: Number(f.times.value) || 1 };
    if (f.to?.value) request.to = f.to.value;
    if (f.resign) request.resign = f.resign.checked;
    const method = request.set.method || f.method.defaultValue;
    const { replays } = await (await confirmed(`${method} may change the store. Send it?`,
      (confirm) => send(`/api/exchanges/${form.dataset.replay}/replay`, confirm ? { ...request, confirm } : request))).json();
    outcome(into, replays);
  });
}
function post(form) {
  const into = $(".result", form.parentElement), f = form.elements, kind = form.id;
  busy(form, into, async () => {
    let request;
    if (kind === "call") request = { store: f.store.value, method: f.method.value, path: f.path.value.trim(), query: f.query.value.trim().replace(/^\?/, ""), headers: headersOf(f.headers.value), body: f.body.value };
    if (kind === "call" && request.path.includes("?")) { const [path, ...rest] = request.path.split("?"); request.path = path; request.query ||= rest.join("?"); }
    if (kind === "trigger") request = { event: f.event.value.trim(), store: f.store.value, to: f.to.value, url: f.url.value, set: Object.fromEntries(lines(f.set.value, "=")) };
    if (kind === "graphql") {
      request = { api: f.api.value, store: f.store.value, query: f.query.value };
      if (f.variables.value.trim()) {
        try { request.variables = JSON.parse(f.variables.value); } catch (error) { throw Object.assign(new Error("the variables are no JSON: " + error.message), { code: "bad_json", hint: "write an object, for example {\"first\": 3}" }); }
        return graphql(form, into, request, f.variables.value);
      }
    }
    if (kind === "trigger") { outcome(into, (await (await send("/api/trigger", request)).json()).replays); return; }
    await answered(form, into, request);
  });
}
// Variables travel as they were written: a number of twenty digits must not pass through a float.
function graphql(form, into, request, variables) {
  const { variables: _, ...rest } = request;
  return answered(form, into, rest, (value) => JSON.stringify(value).replace(/}$/, `,"variables":${variables}}`));
}
async function answered(form, into, request, write = JSON.stringify) {
  const verb = form.id === "graphql" ? "A mutation" : request.method;
  const response = await confirmed(`${verb} may change the store. Send it?`, (confirm) => ask(form.dataset.post + "?rows=1", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: write(confirm ? { ...request, confirm } : request),
  }));
  into.innerHTML = (await response.json()).html;
  localTimes(into);
}
async function importHAR(input) {
  if (!input.files.length) return;
  try {
    const { ids } = await (await ask("/api/import", { method: "POST", headers: { "Content-Type": "application/json" }, body: input.files[0] })).json();
    say(ids.length + " exchanges were read");
  } catch (error) {
    const p = $("#q-error");
    p.hidden = false;
    problem(p, error);
  }
  input.value = "";
  input.closest("details").open = false;
}

// --- hands ----------------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const on = event.target.closest("button, a, summary");
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  if (!on) return;
  if (on.dataset.copy !== undefined) copy(on.dataset.copy, on);
  else if (on.dataset.as) copyAs(on);
  else if (on.dataset.tab) turn(on.dataset.tab);
  else if (on.dataset.query !== undefined) { const f = $("#graphql").elements; f.query.value = on.dataset.query; f.variables.value = on.dataset.variables; f.api.value = on.dataset.api; f.query.focus(); }
  else if (on.id === "help") $("#keys").showModal();
  else if (on.matches(".row") && event.shiftKey) { event.preventDefault(); mark(on); }
  else if (on === fresh && new URLSearchParams(location.search).has("before")) location.href = "/?q=" + encodeURIComponent(filter);
  else if (on === fresh) { if (wide()) scroller.scrollTop = 0; else scrollTo(0, 0); release(); $("a", rows)?.focus({ preventScroll: true }); }
  else if (on.id === "older") older(event);
  else if (on.matches("a") && pane && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0
    && /^\/exchanges\/\d+(\/diff\/\d+)?$/.test(on.pathname) && on.origin === location.origin) { event.preventDefault(); show(on.pathname + on.search); }
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.replay) { event.preventDefault(); replay(form); }
  else if (form.dataset.post) { event.preventDefault(); post(form); }
  else if (form.dataset.compare) { event.preventDefault(); show(`/exchanges/${form.elements.with.value}/diff/${form.dataset.compare}`); }
});
document.addEventListener("change", (event) => { if (event.target.id === "import") importHAR(event.target); });
let shown = location.pathname;
addEventListener("popstate", () => { if (pane && location.pathname !== shown) show(location.pathname + location.search, false); });

function step(by) {
  const all = $$(".row", rows);
  if (!all.length) return;
  const here = document.activeElement.closest?.(".row") || $(".row[aria-current]", rows);
  const next = all[here ? Math.min(Math.max(all.indexOf(here) + by, 0), all.length - 1) : 0];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
async function toReplay() {
  const row = document.activeElement.closest?.(".row");
  if (row && row.parentElement.dataset.id !== current()) await show(row.pathname + row.search);
  if ($("#tab-replay", pane)) turn("replay"); else say("this exchange cannot be replayed");
}
document.addEventListener("keydown", (event) => {
  const field = event.target.matches("input, textarea, select");
  if (event.key === "Escape") { if (field) event.target.blur(); for (const menu of $$("details.menu[open]")) menu.open = false; return; }
  if (field && event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.target.form?.requestSubmit(); return; }
  if (event.target.matches("[role=tab]") && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    const tabs = $$("[role=tab]", pane), i = tabs.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : -1);
    turn(tabs[(i + tabs.length) % tabs.length].dataset.tab, true);
    return;
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey || $("#keys").open) return;
  if (event.key === "?") $("#keys").showModal();
  else if (event.key === "/" && $("#q")) $("#q").select();
  else if (event.key === "j" && rows) step(1);
  else if (event.key === "k" && rows) step(-1);
  else if (event.key === "x" && document.activeElement.matches(".row")) mark(document.activeElement);
  else if (event.key === "g" && rows) { scroller.scrollTop = 0; release(); $(".row", rows)?.focus(); }
  else if (event.key === "r" && pane) toReplay();
  else return;
  event.preventDefault();
});
(scroller || document).addEventListener("scroll", () => { if (rows && held.size && !reading()) release(); }, { passive: true });
addEventListener("scroll", () => { if (rows && held.size && !reading()) release(); }, { passive: true });

localTimes(document);
if (pane) dress(pane);
listen();
