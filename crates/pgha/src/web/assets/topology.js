// The picture: sites, members, roles, and what flows between sites. Elements are kept and only their attributes change.

import { bytes, el, role, say, set, short, svg } from "./dom.js";
import { layout, way } from "./layout.js";

/** With more sites, only links that are not as they should be have a label. */
const LABELS_MAX_SITES = 5;
const OFFSET = 3.5;

export class Topology {
  #svg;
  #pick;
  #kept = new Map();
  #drawn = "";
  #at = null;

  /** `pick` is told of a member or a site that is chosen; without it nothing can be chosen. */
  constructor(element, pick) {
    this.#svg = element;
    this.#pick = pick;
  }

  update(state, links) {
    const { view } = state;
    const members = new Map(view.members.map((member) => [member.name, member]));
    const etcd = new Map(view.etcd.map((member) => [member.name, member]));
    const room = Math.max(340, this.#svg.parentElement.clientWidth - 20);
    const shape = JSON.stringify([room, view.sites.map((site) => [site.name, site.members])]);
    if (shape !== this.#drawn) {
      this.#at = layout(view.sites, members, room);
      this.#svg.replaceChildren();
      this.#kept.clear();
      this.#drawn = shape;
      set(this.#svg, { viewBox: `0 0 ${this.#at.width} ${this.#at.height}`, width: this.#at.width, height: this.#at.height });
    }
    this.#links(view, links);
    for (const site of view.sites) this.#site(site);
    for (const member of view.members) if (member.site) this.#member(member, etcd);
    const labels = this.#keep("labels", () => svg("g"));
    this.#svg.append(labels);
    set(this.#svg, { "aria-label": words(view, links) });
  }

  /** The element of that key, made where there is none. */
  #keep(key, make) {
    let kept = this.#kept.get(key);
    if (!kept) {
      kept = make();
      this.#kept.set(key, kept);
      this.#svg.append(kept);
    }
    return kept;
  }

  #site(site) {
    const at = this.#at.boxes.get(site.name);
    const box = this.#keep(`site ${site.name}`, () =>
      this.#chosen(
        site.name,
        svg(
          "g",
          {},
          svg("rect", { x: at.x, y: at.y, width: at.w, height: at.h, rx: 8 }),
          svg("text", { x: at.x + 10, y: at.y + 19, class: "title" }),
          svg("text", { x: at.x + at.w - 10, y: at.y + 19, class: "dim", "text-anchor": "end" }),
        ),
      ),
    );
    const lost = site.reachable === false;
    set(box, { class: `site${lost ? " lost" : ""}` });
    say(box.children[1], site.name);
    const kind = site.kind === "external" ? "external" : site.role === "standby" ? "standby" : "";
    say(box.children[2], lost ? "unreachable" : kind);
  }

  #member(member, etcd) {
    const at = this.#at.places.get(member.name);
    const large = member.kind === "postgres";
    const card = this.#keep(`member ${member.name}`, () =>
      this.#chosen(
        member.name,
        svg(
          "g",
          {},
          svg("title"),
          svg("rect", { x: at.x, y: at.y, width: at.w, height: at.h, rx: 5 }),
          svg("text", { x: at.x + 9, y: at.y + (large ? 16 : 15), class: "name" }),
          svg("text", large ? { x: at.x + 9, y: at.y + 31 } : { x: at.x + at.w - 9, y: at.y + 15, "text-anchor": "end" }),
          svg("text", { x: at.x + at.w - 9, y: at.y + 16, "text-anchor": "end" }),
        ),
      ),
    );
    const what = role(member, etcd);
    const healthy = etcd.get(member.name)?.healthy;
    set(card, { class: `member ${member.kind} ${standing(member, healthy)}` });
    say(card.children[0], [member.name, what, member.state, member.error, member.failure].filter(Boolean).join(", "));
    say(card.children[2], member.kind === "backup" ? "pgBackRest" : member.kind === "etcd" ? short(member.name).split("-")[0] : short(member.name));
    const follows = ["replica", "sync_standby", "quorum_standby"].includes(member.role);
    const odd = follows && member.state !== "streaming" ? member.state : null;
    say(card.children[3], odd ?? (what === "stanza exists" ? "stanza" : what));
    const lag = member.lag_bytes > 0 ? bytes(member.lag_bytes) : null;
    say(card.children[4], large && member.container_state === "running" ? (lag ?? (member.timeline ? `TL ${member.timeline}` : "")) : "");
  }

  /** Something that can be chosen with a click, Enter or Space, where anybody wants to know. */
  #chosen(name, element) {
    if (!this.#pick) return element;
    set(element, { tabindex: 0, role: "button", "aria-label": `Changes of ${name}` });
    element.addEventListener("click", () => this.#pick(name));
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.#pick(name);
    });
    return element;
  }

  #links(view, links) {
    const few = view.sites.length <= LABELS_MAX_SITES;
    for (const direction of links.directions) {
      const [a, b] = [this.#at.boxes.get(direction.from), this.#at.boxes.get(direction.to)];
      if (!a || !b) continue;
      const { path } = way(a, b, OFFSET);
      const line = this.#keep(`link ${direction.from} ${direction.to}`, () => svg("path", { d: path }, svg("title")));
      const cut = direction.state === "cut";
      set(line, { class: `link ${direction.state} ${flow(direction.bytes_per_s)}${few ? "" : " many"}` });
      const rate = cut ? "blocked" : `${bytes(direction.bytes_per_s)}/s`;
      say(line.firstChild, [`${direction.from} → ${direction.to}: ${rate}`, ...direction.remarks].join(", "));
    }
    const layer = this.#keep("labels", () => svg("g"));
    // Without an answer of the router nothing is known of any link.
    set(layer, { class: links.known ? null : "unknown" });
    if (!links.known) for (const [key, line] of this.#kept) if (key.startsWith("link ")) set(line, { class: "link unknown" });
    for (const pair of links.pairs) this.#label(layer, pair, links.directions, few);
  }

  #label(layer, pair, directions, few) {
    const [one, other] = pair.between;
    const [a, b] = [this.#at.boxes.get(one), this.#at.boxes.get(other)];
    if (!a || !b) return;
    const key = `label ${one} ${other}`;
    let label = this.#kept.get(key);
    if (!label) {
      const { middle } = way(a, b, 0);
      label = svg(
        "g",
        { transform: `translate(${middle.x.toFixed(1)} ${middle.y.toFixed(1)})` },
        svg("rect", { x: -38, y: -17, width: 76, height: 34, rx: 5 }),
        svg("text", { y: -3, "text-anchor": "middle" }),
        svg("text", { y: 12, "text-anchor": "middle", class: "dim" }),
      );
      this.#kept.set(key, label);
      layer.append(label);
    }
    const both = directions.filter((d) => pair.between.includes(d.from) && pair.between.includes(d.to));
    const cuts = both.filter((d) => d.state === "cut");
    const changed = both.some((d) => d.state === "changed");
    set(label, { class: `label${cuts.length ? " cut" : changed ? " changed" : ""}${few || cuts.length || changed ? "" : " none"}` });
    const rate = both.reduce((sum, d) => sum + d.bytes_per_s, 0);
    const back = both.map((d) => d.undone_in_s).find((left) => left !== null && left !== undefined);
    say(label.children[1], cuts.length === 2 ? "✕ blocked" : cuts.length ? `✕ ${cuts[0].from}→${cuts[0].to}` : pair.label ?? "");
    const remark = both.flatMap((d) => d.remarks)[0];
    say(label.children[2], back !== undefined ? `${back} s left` : cuts.length ? "no packets" : remark ?? `${bytes(rate)}/s`);
  }
}

/** How a member is, as a class. */
function standing(member, healthy) {
  if (member.container_state !== "running") return "down";
  if (member.kind === "etcd") return healthy ? "well" : "down";
  if (member.kind === "backup") return member.state === "stanza exists" ? "well" : "open";
  if (member.role === null) return "open";
  const streams = member.state === "streaming" || member.role === "leader";
  return `${member.role}${streams ? "" : " open"}`;
}

/** How much flows, as a class. */
function flow(rate) {
  if (rate < 200) return "still";
  return rate < 20000 ? "slow" : rate < 500000 ? "brisk" : "fast";
}

/** The picture in a sentence, for those who do not see it. */
function words(view, links) {
  const cut = links.directions.filter((d) => d.state === "cut").map((d) => `${d.from} to ${d.to}`);
  const leader = view.leader ? `leader ${view.leader}` : "no leader";
  return `Topology: ${view.sites.length} sites, ${view.members.length} members, ${leader}, ${!links.known ? "links unknown" : cut.length ? `blocked: ${cut.join(", ")}` : "no link blocked"}`;
}

/** What the colours mean. */
export function legend(place) {
  const keys = [
    ["leader", "leader"],
    ["sync_standby", "acknowledges commits"],
    ["replica", "replica"],
    ["open", "not streaming, or unknown"],
    ["down", "down"],
  ];
  place.replaceChildren(...keys.map(([kind, text]) => el("span", {}, el("i", { class: `key ${kind}` }), text)));
}
