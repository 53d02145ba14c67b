// Makes elements and words. Text from the cluster only ever becomes text.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a null attribute is left out. */
export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** The same in SVG. */
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

function fill(node, attributes, children) {
  set(node, attributes);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Sets attributes that differ. */
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
  return node;
}

/** Sets a text that differs. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
  return node;
}

export const byId = (id) => document.getElementById(id);

/** `demo1-DC2` of `pgha-demo1-DC2-1`. */
export const short = (name) => name.replace(/^pgha-/, "").replace(/-\d+$/, "");

/** `512 B`, `1.4 MB`. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let place = 0;
  while (count >= 1000 && place < units.length - 1) {
    count /= 1000;
    place += 1;
  }
  return `${count < 10 && place > 0 ? count.toFixed(1) : Math.round(count)} ${units[place]}`;
}

/** `0.42 ms`, `40.1 ms`. */
export const ms = (value) => `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;

/** `5 s`, `3 min`, `7 h`, `12 d`. */
export function age(seconds) {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

/** `14:03:22` on this machine's clock. */
export const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });

const ROLES = {
  leader: "leader",
  primary: "primary, not confirmed",
  replica: "replica",
  sync_standby: "sync standby",
  quorum_standby: "quorum standby",
};

/** What a member is, in a few words. */
export function role(member, etcd) {
  if (member.container_state !== "running") return member.container_state;
  if (member.kind === "etcd") {
    const seen = etcd.get(member.name);
    if (!seen?.healthy) return "no quorum";
    return seen.leader ? "leader" : seen.learner ? "learner" : "member";
  }
  if (member.kind === "wan") return "router";
  if (member.kind === "backup") return member.state ?? "unknown";
  return ROLES[member.role] ?? member.state ?? "unknown";
}
