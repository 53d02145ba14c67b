// Takes what the server tells and gives each part of the page its own.

import * as changes from "./changes.js";
import { Chart, spans } from "./chart.js";
import { byId, bytes, el, ms, say, set, short } from "./dom.js";
import * as tables from "./tables.js";
import { legend, Topology } from "./topology.js";

/** Points that are kept; the server keeps as many. */
const SAMPLES_MAX = 1200;

let state = null;
let links = { known: false, directions: [], pairs: [] };
let heard = 0;
const samples = [];
let topology = null;

const charts = {
  writes: new Chart(byId("chart-writes"), "Commit latency", ms),
  lag: new Chart(byId("chart-lag"), "Replication lag", bytes),
  trips: new Chart(byId("chart-trips"), "Round trips", ms),
  traffic: new Chart(byId("chart-traffic"), "Traffic", (value) => `${bytes(value)}/s`),
};

const told = {
  state(value) {
    state = value;
    topology ??= new Topology(byId("topology"), value.may_change ? changes.pick : null);
    const first = byId("content").hidden;
    byId("content").hidden = false;
    document.body.classList.toggle("many", value.view.sites.length > 6);
    head(value);
    picture();
    tables.problems(value.view.problems);
    tables.survival(value.survival);
    tables.losses(value.losses);
    tables.members(value.view);
    if (value.may_change) changes.show(value.changes);
    if (first) drawCharts();
  },
  links(value) {
    links = value;
    tables.links(value);
    picture();
  },
  sample(value) {
    if (value.at_ms <= (samples.at(-1)?.at_ms ?? 0)) return;
    samples.push(value);
    samples.splice(0, samples.length - SAMPLES_MAX);
    drawSoon();
  },
  events: tables.events,
  backups: tables.backups,
  run: changes.report,
};

function head({ cluster, view, faults }) {
  say(byId("name"), cluster);
  document.title = `${view.leader ? short(view.leader) : "no leader"} · ${cluster}`;
  const met = view.acknowledging.have >= view.acknowledging.need;
  const [word, kind] = view.leader
    ? met ? ["writable", "good"] : ["writable, durability not met", "open"]
    : view.failsafe ? ["writable without etcd", "open"] : ["no leader", "bad"];
  set(say(byId("verdict"), word), { class: `verdict ${kind}` });
  const worst = view.problems.filter((problem) => problem.severity !== "info").length;
  figures([
    ["leader", view.leader ? short(view.leader) : "none"],
    ["etcd quorum", `${view.quorum.have} (${view.quorum.need} needed)`],
    ["standbys acknowledge", `${view.acknowledging.have} (${view.acknowledging.need} needed)`],
    ["problems", String(worst)],
    ["faults", String(faults.length)],
  ]);
}

function figures(all) {
  const place = byId("figures");
  if (place.children.length !== all.length) {
    place.replaceChildren(...all.map(([name]) => el("div", {}, el("dt", {}, name), el("dd"))));
  }
  all.forEach(([, value], number) => say(place.children[number].lastChild, value));
}

function picture() {
  if (topology && state) topology.update(state, links);
}

let waiting = false;

/** Many samples come at once when the page is opened. */
function drawSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawCharts();
  });
}

function drawCharts() {
  if (byId("content").hidden) return;
  const now = samples.at(-1)?.at_ms ?? Date.now();
  const bands = spans(samples, (sample) => sample.disturbed);
  const of = (value) => samples.map((sample) => [sample.at_ms, value(sample) ?? null]);
  const names = (key) => [...new Set(samples.flatMap((sample) => Object.keys(sample[key])))].sort();
  const writes = samples.filter((sample) => sample.write_tried).map((sample) => [sample.at_ms, sample.write_ms]);
  charts.writes.draw(
    [
      ["commit", writes],
      ["etcd read", of((sample) => sample.etcd_ms)],
    ],
    bands,
    now,
  );
  charts.lag.draw(names("lag").map((name) => [short(name), of((sample) => sample.lag[name])]), bands, now);
  charts.trips.draw(names("round_trips").map((name) => [name, of((sample) => sample.round_trips[name])]), bands, now);
  charts.traffic.draw([["all links", of((sample) => sample.bytes_per_s)]], bands, now);
}

/** How old what is shown is. */
function tick() {
  const s = heard ? Math.round((Date.now() - heard) / 1000) : null;
  const stale = s !== null && s > 4;
  document.body.classList.toggle("stale", stale);
  const word = s === null ? "no data yet" : stale ? `no data for ${s} s` : "live";
  say(byId("live"), source.readyState === EventSource.CLOSED ? "ended: `pgha web` prints a new address" : word);
}

const source = new EventSource("/events");
for (const [topic, take] of Object.entries(told)) {
  source.addEventListener(topic, (event) => {
    heard = Date.now();
    take(JSON.parse(event.data));
    tick();
  });
}
legend(byId("legend"));
setInterval(tick, 1000);
new ResizeObserver(() => {
  picture();
  drawSoon();
}).observe(byId("content"));
