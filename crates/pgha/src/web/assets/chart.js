// Lines over the last minutes, with bands for times in which something was disturbed on purpose.

import { clock, el, say, set, svg } from "./dom.js";

/** What is shown, in milliseconds. */
const SPAN = 5 * 60 * 1000;
/** Samples further apart have something between them that nobody saw. */
const GAP = 10000;
const HEIGHT = 150;
const LEFT = 72;
const BOTTOM = 20;
const TOP = 8;
/** With more, those that are highest now are drawn. */
const LINES_MAX = 6;

export class Chart {
  #place;
  #svg = svg("svg", { role: "img", height: HEIGHT });
  #key = el("p", { class: "legend" });
  #unit;
  #name;

  /** `unit` makes a text of a value. */
  constructor(place, name, unit) {
    this.#place = place;
    this.#name = name;
    this.#unit = unit;
    place.append(this.#svg, this.#key);
  }

  /** Series are `[name, [[at, value or null], …]]`; bands `[from, to]`. */
  draw(series, bands, now) {
    const width = Math.max(280, this.#place.clientWidth);
    const from = now - SPAN;
    const x = (at) => LEFT + ((at - from) / SPAN) * (width - LEFT - 4);
    const last = ([, points]) => points.at(-1)?.[1] ?? -1;
    const shown = [...series].sort((a, b) => last(b) - last(a)).slice(0, LINES_MAX).sort((a, b) => (a[0] < b[0] ? -1 : 1));
    const values = shown.flatMap(([, points]) => points.filter(([at, v]) => at >= from && v !== null).map(([, v]) => v));
    const top = nice(Math.max(0, ...values));
    const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    const parts = bands.filter(([, to]) => to > from).map(([start, to]) => {
      const left = x(Math.max(start, from));
      return svg("rect", { class: "outage", x: left.toFixed(1), y: TOP, width: Math.max(2, x(to) - left).toFixed(1), height: HEIGHT - TOP - BOTTOM });
    });
    for (const share of [0, 0.5, 1]) {
      const at = y(top * share).toFixed(1);
      parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - 4, y1: at, y2: at }));
      parts.push(svg("text", { class: "dim", x: LEFT - 6, y: Number(at) + 4, "text-anchor": "end" }, this.#unit(top * share)));
    }
    for (let minute = 1; minute < 5; minute += width < 420 ? 2 : 1) {
      parts.push(svg("text", { class: "dim", x: x(now - minute * 60000), y: HEIGHT - 4, "text-anchor": "middle" }, `−${minute} min`));
    }
    shown.forEach(([, points], number) => {
      parts.push(svg("path", { class: `line c${number + 1}`, d: path(points, from, x, y) }));
    });
    set(this.#svg, { viewBox: `0 0 ${width} ${HEIGHT}`, width, "aria-label": this.#words(shown, now) });
    this.#svg.replaceChildren(...parts);
    const keys = shown.map(([name, points], number) => el("span", {}, el("i", { class: `key c${number + 1}` }), `${name} ${this.#value(points)}`));
    if (series.length > shown.length) keys.push(el("span", {}, `and ${series.length - shown.length} more`));
    this.#key.replaceChildren(...(keys.length ? keys : [el("span", {}, "no data yet")]));
  }

  #value(points) {
    const value = points.at(-1)?.[1];
    return value === null || value === undefined ? "–" : this.#unit(value);
  }

  #words(series, now) {
    const each = series.map(([name, points]) => `${name} ${this.#value(points)}`);
    return `${this.#name} at ${clock(now)}: ${each.join(", ") || "no data"}`;
  }
}

/** A line with a gap where a value is missing, or where nobody looked. */
function path(points, from, x, y) {
  let out = "";
  let before = null;
  for (const [at, value] of points) {
    if (value === null || at < from) {
      before = null;
      continue;
    }
    out += `${before !== null && at - before < GAP ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    before = at;
  }
  return out;
}

/** The next of 1, 2, 5 times a power of ten. */
function nice(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/** Spans in which it holds, from samples by time; none goes over a time in which nobody looked. */
export function spans(samples, holds) {
  const out = [];
  let before = null;
  for (const sample of samples) {
    const goes = before !== null && sample.at_ms - before.at_ms < GAP;
    if (before && goes && holds(before)) {
      const last = out.at(-1);
      if (last?.[1] === before.at_ms) last[1] = sample.at_ms;
      else out.push([before.at_ms, sample.at_ms]);
    }
    before = sample;
  }
  return out;
}
