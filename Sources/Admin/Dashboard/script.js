"use strict";
// One stream of status and events; everything shown is derived from it and from /v1/history. No library, no outside request.

const $ = id => document.getElementById(id);
const kept = { status: null, before: null, history: [], wires: new Map(), retry: 500 };

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
function svg(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}
function put(node, text) { if (node.textContent !== text) node.textContent = text; }

// --- numbers ---------------------------------------------------------------
function count(value) {
  if (value === 0) return "0";
  const units = ["", "k", "M", "G"];
  let unit = 0;
  while (value >= 999.5 && unit < 3) { value /= 1000; unit += 1; }
  return (value < 9.95 ? value.toFixed(1).replace(".0", "") : Math.round(value)) + units[unit];
}
function time(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.0009995) return Math.round(seconds * 1e6) + " µs";
  return seconds < 0.9995 ? count(seconds * 1e3) + " ms" : count(seconds) + " s";
}
function bytes(value) { return count(value) + "B"; }
function ago(seconds) {
  const whole = Math.floor(seconds), two = n => String(n).padStart(2, "0");
  if (whole >= 86400) return `${Math.floor(whole / 86400)}d${Math.floor(whole / 3600) % 24}h`;
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole / 60) % 60)}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m${two(whole % 60)}s` : `${whole}s`;
}

// --- differences of two reports --------------------------------------------
function rate(now, last, path) {
  const seconds = kept.before ? kept.status.uptime_s - kept.before.uptime_s : 0;
  if (!last || seconds <= 0) return 0;
  return Math.max(0, path(now) - path(last)) / seconds;
}
function quantile(now, last, share) {
  const total = now.count - (last ? last.count : 0);
  if (!total || !now.below.length) return null;
  const below = now.below.map((n, i) => n - (last && last.below.length ? last.below[i] : 0));
  let seen = 0, low = 0;
  for (let i = 0; i < below.length; i += 1) {
    const high = 64e-6 * 2 ** i;
    if (below[i] >= share * total && below[i] > seen) return low + (high - low) * (share * total - seen) / (below[i] - seen);
    seen = below[i];
    low = high;
  }
  return low;
}
const lastOf = (kind, name) => kept.before && kept.before[kind].find(one => one.name === name);
function lastBackend(pool, name) {
  const before = lastOf("pools", pool);
  return before && before.backends.find(one => one.name === name);
}
const takesTraffic = backend => backend.verdict === "up" || backend.verdict === "warming";
function colour(backend) {
  if (backend.verdict === "down") return "bad";
  return backend.verdict !== "up" || backend.state !== "ready" ? "warn" : "good";
}

// --- panels ----------------------------------------------------------------
function header(status) {
  put($("phase"), status.phase);
  $("phase").className = "badge " + (status.phase === "serving" ? "good" : "warn");
  put($("facts"), `version ${status.version} · generation ${status.generation} · up ${ago(status.uptime_s)} · ${status.workers} workers`);
}

function tiles(status) {
  const sum = path => status.listeners.reduce((all, one) => all + rate(one, lastOf("listeners", one.name), path), 0);
  const merged = name => {
    const parts = status.listeners.map(one => name(one)).filter(one => one && one.below.length);
    return parts.length ? { count: parts.reduce((n, one) => n + one.count, 0), below: parts[0].below.map((_, i) => parts.reduce((n, one) => n + one.below[i], 0)) } : { count: 0, below: [] };
  };
  const now = merged(one => one.requestTimes), last = kept.before ? merged(one => (lastOf("listeners", one.name) || {}).requestTimes) : null;
  const backends = status.pools.flatMap(pool => pool.backends), up = backends.filter(takesTraffic).length;
  const errors = sum(one => one.responses["5xx"]);
  const values = [
    ["requests/s", count(sum(one => one.requests)), ""],
    ["5xx/s", count(errors), errors > 0 ? "bad" : ""],
    ["p50", time(quantile(now, last, 0.5)), ""],
    ["p99", time(quantile(now, last, 0.99)), ""],
    ["open connections", count(status.listeners.reduce((n, one) => n + one.connections, 0)), ""],
    ["to clients, per second", bytes(sum(one => one.bytes_out)), ""],
    ["backends up", `${up} of ${backends.length}`, up === backends.length ? "good" : up ? "warn" : "bad"],
  ];
  const box = $("tiles");
  if (box.children.length !== values.length) box.replaceChildren(...values.map(() => element("div", { className: "tile" }, element("b"), element("span"))));
  values.forEach(([label, value, kind], i) => {
    const [number, name] = box.children[i].children;
    put(number, value);
    number.className = kind;
    put(name, label);
  });
}

/** Children of `box` by key, in this order; `make` builds one, `fill` updates it. */
function keyed(box, rows, make, fill) {
  const old = new Map([...box.children].map(node => [node.dataset.key, node]));
  let previous = null;
  for (const [key, row] of rows) {
    let node = old.get(key);
    if (!node) { node = make(row); node.dataset.key = key; }
    old.delete(key);
    fill(node, row);
    const place = previous ? previous.nextSibling : box.firstChild;
    if (node !== place) box.insertBefore(node, place);
    previous = node;
  }
  for (const node of old.values()) node.remove();
}

function topology(status) {
  const card = () => element("div", { className: "card" }, element("h3"), element("p"), element("p"));
  keyed($("listeners"), status.listeners.map(one => [one.name, one]), card, (node, one) => {
    const last = lastOf("listeners", one.name);
    const [title, first, second] = node.children;
    put(title, `${one.name} · ${one.protocol}`);
    put(first, one.binds.join(", "));
    put(second, `${count(rate(one, last, l => l.requests))} req/s · ${one.connections} open · p99 ${time(quantile(one.requestTimes, last && last.requestTimes, 0.99))}`);
  });
  const poolCard = () => element("div", { className: "card" }, element("h3"), element("p"), element("div", { className: "dots" }));
  keyed($("pools"), status.pools.map(one => [one.name, one]), poolCard, (node, pool) => {
    const last = lastOf("pools", pool.name);
    const [title, line, dots] = node.children;
    put(title, `${pool.name} · ${pool.policy}`);
    put(line, `${pool.backends.filter(takesTraffic).length} of ${pool.backends.length} up · p99 ${time(quantile(pool.responseTimes, last && last.responseTimes, 0.99))}`);
    const dot = () => element("div", { className: "dot" }, element("span"));
    keyed(dots, pool.backends.slice(0, 60).map(one => [one.name, one]), dot, (node, one) => {
      node.className = "dot " + colour(one);
      node.title = `${one.name}: ${one.state}, ${one.verdict} (${one.reason})`;
      put(node.firstChild, `${one.name} ${count(rate(one, lastBackend(pool.name, one.name), b => b.requests))}/s`);
    });
  });
  edges(status);
}

function edges(status) {
  const box = $("topology").getBoundingClientRect();
  const rows = status.listeners.flatMap(one => (one.pools || []).map(pool => [one, pool]));
  const paths = [];
  for (const [listener, pool] of rows) {
    const from = [...$("listeners").children].find(node => node.dataset.key === listener.name);
    const to = [...$("pools").children].find(node => node.dataset.key === pool);
    if (!from || !to) continue;
    const a = from.getBoundingClientRect(), b = to.getBoundingClientRect();
    const [x, y, u, v] = [a.right - box.left, a.top + a.height / 2 - box.top, b.left - box.left, b.top + Math.min(b.height / 2, 30) - box.top];
    const width = 1 + Math.min(5, Math.log10(1 + rate(listener, lastOf("listeners", listener.name), l => l.requests)));
    paths.push(svg("path", { d: `M${x} ${y}C${(x + u) / 2} ${y} ${(x + u) / 2} ${v} ${u} ${v}`, "stroke-width": width }));
  }
  $("edges").replaceChildren(...paths);
}

function table(node, columns, rows, make, fill) {
  if (!node.tHead) {
    node.append(element("thead", {}, element("tr", {}, ...columns.map(([title, kind]) => element("th", { className: kind || "", scope: "col" }, title)))), element("tbody"));
  }
  keyed(node.tBodies[0], rows, row => make ? make(row) : element("tr", {}, ...columns.map(([, kind]) => element("td", { className: kind || "" }))), fill);
}

const backendColumns = [["Pool"], ["Backend"], ["Health"], ["Since", "n"], ["Weight", "n"], ["In flight", "n"], ["Req/s", "n"], ["Fail/s", "n"], ["5xx/s", "n"], ["Why", "reason"], ["State"], ["Set weight"]];

function backends(status) {
  const rows = status.pools.flatMap(pool => pool.backends.map(one => [`${pool.name}/${one.name}`, { pool: pool.name, one }]));
  table($("backends"), backendColumns, rows, ({ pool, one }) => {
    const row = element("tr", {}, ...backendColumns.map(([, kind]) => element("td", { className: kind || "" })));
    const path = `v1/backends/${encodeURIComponent(pool)}/${encodeURIComponent(one.name)}/`;
    row.children[10].append(...["ready", "drain", "maintenance"].map(word =>
      element("button", { type: "button", textContent: word, onclick: () => order("POST", path + word), ariaLabel: `${word}: ${pool}/${one.name}` })));
    const input = element("input", { type: "number", min: 0, max: 65535, value: one.weight, ariaLabel: `weight of ${pool}/${one.name}` });
    input.onchange = () => order("PUT", path + "weight", { weight: Number(input.value) });
    row.children[11].append(input);
    return row;
  }, (row, { pool, one }) => {
    const last = lastBackend(pool, one.name), cells = row.children;
    const failing = rate(one, last, b => b.failures), errors = rate(one, last, b => b.responses["5xx"]);
    [pool, one.name, one.verdict, ago(one.since_s), one.effectiveWeight === one.weight ? `${one.weight}` : `${one.effectiveWeight} of ${one.weight}`,
      `${one.inFlight}`, count(rate(one, last, b => b.requests)), count(failing), count(errors), one.reason].forEach((text, i) => put(cells[i], text));
    cells[2].className = colour(one);
    cells[7].className = failing > 0 ? "n bad" : "n";
    cells[8].className = errors > 0 ? "n bad" : "n";
    for (const button of cells[10].children) button.setAttribute("aria-pressed", String(button.textContent === one.state));
    const input = cells[11].firstChild;
    if (document.activeElement !== input) input.value = one.weight;
  });
}

// Tables that other parts of the node fill: rollouts, early warnings, VIPs, BGP, DNS.
function panels(list) {
  keyed($("panels"), list.map(one => [one.name, one]), one => element("section", {}, element("h2"), element("div", { className: "scroll" }, element("table"))), (node, one) => {
    put(node.querySelector("h2"), one.title);
    const actions = one.name === "rollouts", columns = one.columns.map(title => [title, sentences.has(title) ? "reason" : ""]);
    table(node.querySelector("table"), actions ? [...columns, ["orders", "orders"]] : columns, one.rows.map((row, i) => [actions ? row[0] : String(i), row]), null, (tr, row) => {
      row.forEach((text, i) => put(tr.children[i], text));
      if (actions) rolloutButtons(tr.children[row.length], row[0], row[2]);
    });
  });
}
const sentences = new Set(["why", "does worse in", "failing"]);

// What a rollout in this phase can be told; whatever it cannot, the node says.
const rolloutOrders = { running: ["pause", "next", "abort", "rollback"], paused: ["resume", "abort", "rollback"], completed: ["rollback"] };

function rolloutButtons(cell, pool, phase) {
  keyed(cell, (rolloutOrders[phase] || []).map(word => [word, word]), word =>
    element("button", { type: "button", textContent: word, ariaLabel: `${word}: rollout of ${pool}`, onclick: async () => {
      await order("POST", `v1/rollouts/${encodeURIComponent(pool)}/${word}`);
      await loadPanels();
    } }), () => {});
}

async function loadPanels() {
  const shown = await fetch("v1/panels", { headers: headers() });
  if (shown.ok) panels((await shown.json()).panels);
}

// --- charts ----------------------------------------------------------------
const charts = [
  ["Requests per second", count, sample => sample.listeners.map(one => [one.name, one.requests])],
  ["5xx answers per second", count, sample => sample.listeners.map(one => [one.name, one.serverErrors])],
  ["Request duration, p50 and p99", time, sample => sample.listeners.flatMap(one => [[one.name + " p50", one.p50], [one.name + " p99", one.p99]])],
  ["Backend response time, p99", time, sample => sample.pools.map(one => [one.name, one.p99])],
  ["In flight", count, sample => sample.pools.map(one => [one.name, one.inFlight])],
  ["Backends up", count, sample => sample.pools.map(one => [one.name, one.up])],
];
const W = 420, H = 130, LEFT = 48, BOTTOM = 16;

function drawCharts() {
  const box = $("charts");
  if (!box.children.length) {
    for (const [title] of charts) {
      const node = element("div", { className: "chart" }, element("h3", {}, title), svg("svg", { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": title }), element("div", { className: "legend" }));
      const plot = node.children[1];
      plot.onpointermove = event => { const r = plot.getBoundingClientRect(); node.cursor = (event.clientX - r.left) / r.width * W; draw(node); };
      plot.onpointerleave = () => { node.cursor = null; draw(node); };
      box.append(node);
    }
  }
  [...box.children].forEach((node, i) => { node.chart = charts[i]; draw(node); });
}

function draw(node) {
  const [, form, read] = node.chart, end = kept.history.length ? kept.history[kept.history.length - 1].time : Date.now();
  // A young node's plot is as long as its life, so that something is to be seen.
  const span = kept.history.length ? Math.min(3600e3, Math.max(300e3, end - kept.history[0].time)) : 3600e3;
  const lines = new Map();
  for (const sample of kept.history) {
    for (const [name, value] of read(sample)) {
      if (!lines.has(name)) { if (lines.size === 6) continue; lines.set(name, []); }
      lines.get(name).push([sample.time, value]);
    }
  }
  const top = Math.max(...[...lines.values()].flat().map(([, v]) => v || 0), 1e-6) * 1.1;
  const x = t => LEFT + (W - LEFT) * (1 - (end - t) / span), y = v => (H - BOTTOM) * (1 - v / top) + 2;
  const parts = [svg("line", { class: "grid", x1: LEFT, x2: W, y1: y(0), y2: y(0) }), svg("line", { class: "grid", x1: LEFT, x2: W, y1: y(top / 1.1), y2: y(top / 1.1) }),
    svg("text", { x: LEFT - 4, y: y(top / 1.1) + 8, "text-anchor": "end" }, form(top / 1.1)), svg("text", { x: LEFT - 4, y: y(0), "text-anchor": "end" }, "0"),
    svg("text", { x: LEFT, y: H - 2 }, `${Math.round(span / 60e3)} min ago`), svg("text", { x: W, y: H - 2, "text-anchor": "end" }, "now")];
  const legend = [];
  [...lines].forEach(([name, points], i) => {
    let path = "", gap = true, previous = -Infinity;
    for (const [t, v] of points) {
      if (v === null || v === undefined) { gap = true; continue; }
      path += `${gap || t - previous > 20e3 ? "M" : "L"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
      gap = false;
      previous = t;
    }
    const stroke = `var(--c${i % 6})`;
    if (path) parts.push(svg("path", { d: path, style: `stroke:${stroke}` }));
    const at = node.cursor == null ? points[points.length - 1] : points.reduce((best, one) => Math.abs(x(one[0]) - node.cursor) < Math.abs(x(best[0]) - node.cursor) ? one : best);
    const mark = element("i");
    mark.style.background = stroke;
    legend.push(element("span", {}, mark, `${name} ${at[1] == null ? "–" : form(at[1])}`));
  });
  if (node.cursor != null && node.cursor > LEFT) parts.push(svg("line", { class: "cross", x1: node.cursor, x2: node.cursor, y1: 0, y2: H - BOTTOM }));
  node.children[1].replaceChildren(...parts);
  node.children[2].replaceChildren(...legend);
}

// --- events ----------------------------------------------------------------
const kinds = { up: "good", serving: "good", applied: "good", announced: "good", active: "good", warming: "warn", ejected: "warn", override: "warn", drifting: "warn", degraded: "warn", name: "warn", down: "bad", refused: "bad", withdrawn: "bad", fault: "bad", dual: "bad" };
function addEvent(event) {
  const list = $("events");
  const when = element("time", { dateTime: event.time, textContent: event.time.slice(11, 19) });
  const row = element("li", { id: `event-${event.id}`, tabIndex: -1 }, when, element("b", { className: kinds[event.kind] || "", textContent: event.kind }), element("span", { textContent: event.subject }), element("span", { className: "dim", textContent: event.message }));
  // What led to it: a link as long as that row is there.
  const cause = event.cause && document.getElementById(`event-${event.cause}`);
  if (cause) row.append(element("a", { href: `#${cause.id}`, textContent: `← ${cause.children[1].textContent} ${cause.children[2].textContent}`.trim(), title: `event ${event.cause} led to this`, onclick: click => {
    click.preventDefault();
    cause.scrollIntoView({ block: "nearest" });
    cause.focus();
  } }));
  else if (event.cause) row.append(element("span", { className: "dim", textContent: `← event ${event.cause}` }));
  list.prepend(row);
  while (list.children.length > 300) {
    for (const link of list.querySelectorAll(`a[href="#${list.lastChild.id}"]`)) link.replaceWith(element("span", { className: "dim", textContent: link.textContent }));
    list.lastChild.remove();
  }
}

// --- talking to the node ---------------------------------------------------
function headers() {
  const token = sessionStorage.getItem("sluice-token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}
function notice(text) {
  put($("notice"), text || "");
  $("notice").hidden = !text;
}
async function order(method, path, body) {
  const answer = await fetch(path, { method, headers: headers(), body: body && JSON.stringify(body) }).catch(error => ({ ok: false, json: async () => ({ error: String(error) }) }));
  if (answer.ok) return notice("");
  const report = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  notice(`${report.error}${report.hint ? ` (${report.hint})` : ""}`);
  if (answer.status === 401) askToken();
}
function askToken() {
  if (!$("token-dialog").open) $("token-dialog").showModal();
}
$("token-button").onclick = askToken;
$("token-dialog").onclose = () => {
  if ($("token-dialog").returnValue !== "ok") return;
  sessionStorage.setItem("sluice-token", $("token").value);
  $("token").value = "";
  if (kept.abort) kept.abort.abort();
};

async function loadHistory() {
  const answer = await fetch("v1/history", { headers: headers() });
  if (answer.ok) { kept.history = (await answer.json()).samples; drawCharts(); }
  await loadPanels();
}

function receive(kind, data) {
  if (kind === "event") {
    if (data.kind === "rollout") loadPanels().catch(() => {});
    return addEvent(data);
  }
  kept.before = kept.status && data.uptime_s > kept.status.uptime_s ? kept.status : null;
  kept.status = data;
  header(data);
  tiles(data);
  topology(data);
  backends(data);
}

async function follow() {
  kept.abort = new AbortController();
  const answer = await fetch("v1/stream", { headers: headers(), signal: kept.abort.signal });
  if (answer.status === 401) { askToken(); throw new Error("a token is needed"); }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  notice("");
  kept.retry = 500;
  $("events").replaceChildren();
  await loadHistory();
  const refresh = setInterval(() => loadHistory().catch(() => {}), 5000);
  try {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the node ended the stream");
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const lines = text.slice(0, end).split("\n");
        const kind = (lines.find(line => line.startsWith("event: ")) || "").slice(7);
        const data = lines.filter(line => line.startsWith("data: ")).map(line => line.slice(6)).join("\n");
        if (data) receive(kind, JSON.parse(data));
      }
    }
  } finally { clearInterval(refresh); }
}

(async () => {
  for (;;) {
    try { await follow(); } catch (error) {
      if (error.name !== "AbortError") {
        put($("phase"), "not connected");
        $("phase").className = "badge bad";
        notice(`no live data: ${error.message}`);
      }
    }
    await new Promise(done => setTimeout(done, kept.retry));
    kept.retry = Math.min(10000, kept.retry * 2);
  }
})();
addEventListener("resize", () => kept.status && edges(kept.status));
