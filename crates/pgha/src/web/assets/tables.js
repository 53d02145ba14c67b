// Tables and lists. Each is drawn again only where what it shows has changed.

import { age, byId, bytes, el, ms, role, short, svg } from "./dom.js";

const drawn = new Map();

/** Draws where the data differ from those drawn before. */
function when(id, data, draw) {
  const text = JSON.stringify(data);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  byId(id).replaceChildren(...draw());
}

function table(heads, rows) {
  const cells = heads.map((head) => el("th", { scope: "col" }, head));
  return [el("thead", {}, el("tr", {}, ...cells)), el("tbody", {}, ...rows)];
}

const row = (attributes, head, ...cells) =>
  el("tr", attributes, el("th", { scope: "row" }, head), ...cells.map((cell) => (cell instanceof Node ? cell : el("td", {}, cell))));

/** Yes or no, in words and in colour; `good` is the answer that is wished for. */
const answer = (value, good) => el("td", {}, el("span", { class: value === good ? "yes" : "no" }, value ? "yes" : "no"));

export function problems(all) {
  when("problems", all, () => {
    if (!all.length) return [el("p", { class: "note" }, "No problems.")];
    return all.map((problem) =>
      el(
        "article",
        { class: `problem ${problem.severity}${problem.cause ? " follows" : ""}` },
        el("p", {}, el("strong", {}, problem.severity), ` ${problem.message}`),
        el("p", { class: "note" }, `hint: ${problem.hint}`),
      ),
    );
  });
}

export function survival(rows) {
  when("survival", rows, () =>
    table(
      ["Lost", "etcd quorum", "Leader again", "Writes go on", "Writes may be lost"],
      rows.map((it) =>
        row(
          it.present ? { class: "present", "aria-current": "true" } : {},
          it.present ? `${it.lost} (now)` : it.lost,
          answer(it.quorum, true),
          answer(it.leader_again, true),
          answer(it.writes_go_on, true),
          answer(it.may_lose_writes, false),
        ),
      ),
    ),
  );
}

export function losses(rows) {
  when("losses", rows, () =>
    table(
      ["Site", "Writes go on", "Writes may be lost", "Why"],
      rows.map((it) => row({}, it.site, answer(it.writes_go_on, true), answer(it.may_lose_writes, false), it.hazards.join("; ") || "–")),
    ),
  );
}

export function members(view) {
  const etcd = new Map(view.etcd.map((member) => [member.name, member]));
  const rows = view.members.map((m) => [m.name, m.site ?? "all", role(m, etcd), m.error ?? m.state ?? "", m.lag_bytes, m.timeline]);
  when("members", rows, () =>
    table(
      ["Member", "Site", "Role", "State", "Lag", "TL"],
      rows.map(([name, site, what, state, lag, timeline]) =>
        row({}, name, site, what, state, lag === null ? "" : bytes(lag), timeline === null ? "" : String(timeline)),
      ),
    ),
  );
}

export function links(all) {
  const rows = all.pairs.map((pair) => {
    const [a, b] = pair.between;
    const both = all.directions.filter((d) => pair.between.includes(d.from) && pair.between.includes(d.to));
    const cut = both.filter((d) => d.state === "cut").map((d) => `${d.from}→${d.to} blocked`);
    const remarks = [...new Set([...cut, ...both.flatMap((d) => d.remarks), ...(pair.difference ? [pair.difference] : [])])];
    const us = (value) => (value === null ? "–" : ms(value / 1000));
    return [`${a} – ${b}`, us(pair.configured_us), us(pair.measured_us), remarks.join("; ")];
  });
  when("links", rows, () => table(["Sites", "Configured", "Measured", "Remarks"], rows.map((it) => row({}, ...it))));
}

export function events({ entries: all, failover: last }) {
  failover(last);
  when("events", all, () =>
    table(
      ["Time (UTC)", "Member", "Event"],
      [...all].reverse().slice(0, 120).map((entry) => row({}, entry.at.slice(11, 19), entry.member ? short(entry.member) : "pgha", entry.said)),
    ),
  );
}

/** The parts of the last failover, each from where the one before ended. */
function failover(last) {
  when("failover", last, () => {
    if (!last) return [];
    const end = Math.max(1, ...last.parts.map((part) => part.at_s ?? 0));
    let from = 0;
    const rows = last.parts.map(({ name, at_s }) => {
      if (at_s === null) return row({}, name, "not seen", "");
      const bar = svg("rect", { class: "part", x: ((from / end) * 1000).toFixed(1), y: 2, width: Math.max(4, ((at_s - from) / end) * 1000).toFixed(1), height: 10, rx: 2 });
      from = Math.max(from, at_s);
      return row({}, name, `${at_s.toFixed(1)} s`, el("td", {}, svg("svg", { viewBox: "0 0 1000 14", preserveAspectRatio: "none", "aria-hidden": "true" }, bar)));
    });
    byId("failover-cause").textContent = `To ${last.leader ? short(last.leader) : "a node"}, from ${last.at.slice(11, 19)} UTC on: ${last.cause}.`;
    return [el("tbody", {}, ...rows)];
  });
}

export function backups(repository) {
  const now = Date.now() / 1000;
  const all = repository?.backups ?? [];
  const first = Math.min(...all.map((backup) => backup.stopped_s));
  const since = all.length ? new Date(first * 1000).toISOString().slice(0, 19).replace("T", " ") : "";
  byId("window").textContent = !repository
    ? "The backup host does not answer."
    : all.length
      ? `Can be restored to any time since ${since} UTC (${age(now - first)}), as far as WAL is archived.`
      : "No backup yet: `pgha backup` makes one.";
  when("backups", all, () =>
    all.length
      ? table(
          ["Backup", "Type", "Repository", "Database", "Stored"],
          [...all].reverse().map((it) => row({}, it.label, it.type, String(it.repository), bytes(it.database_bytes), bytes(it.repository_bytes))),
        )
      : [],
  );
}
