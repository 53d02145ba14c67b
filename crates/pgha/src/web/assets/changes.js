// Buttons for changes, each with the command line that it stands for. What is offered comes from `pgha`; what a button
// sends is that command line, and nothing else is carried out.

import { byId, el, say, set } from "./dom.js";

const TITLES = { switchover: "Leader", wan: "Links", fault: "Kill", heal: "Heal" };
/** What these do is asked about first. */
const ASKED = new Set(["switchover", "fault", "wan"]);

const groups = new Map();
let offered = "";
let running = false;

/** Shows what is offered. */
export function show(changes) {
  const text = JSON.stringify(changes);
  if (text === offered) return;
  offered = text;
  byId("changing").hidden = false;
  for (const [key, title] of Object.entries(TITLES)) {
    const group = groups.get(key) ?? make(key, title);
    const own = changes.filter((change) => change.group === key);
    const before = group.select.value;
    group.select.replaceChildren(...own.map((change) => el("option", { value: change.command }, change.label)));
    if (own.some((change) => change.command === before)) group.select.value = before;
    group.changes = own;
    refresh(group);
  }
}

/** Chooses what is about a member or a site. */
export function pick(name) {
  for (const group of groups.values()) {
    const about = group.changes.find((change) => change.about === name);
    if (!about) continue;
    group.select.value = about.command;
    refresh(group);
  }
  groups.get("fault")?.select.focus();
}

function make(key, title) {
  const select = el("select", { id: `change-${key}` });
  const button = el("button", { type: "button", id: `do-${key}` }, "Run …");
  const code = el("code", { id: `command-${key}` });
  const group = { key, select, button, code, changes: [] };
  select.addEventListener("change", () => refresh(group));
  button.addEventListener("click", () => ask(group));
  set(button, { "aria-describedby": code.id });
  byId("changes").append(el("div", { class: "change" }, el("label", { for: select.id }, title), select, button, code));
  groups.set(key, group);
  return group;
}

function refresh(group) {
  const none = group.changes.length === 0;
  group.select.disabled = none;
  group.button.disabled = none || running;
  say(group.button, ASKED.has(group.key) ? "Run …" : "Run");
  say(group.code, none ? "nothing to offer now" : group.select.value);
}

function ask(group) {
  const change = group.changes.find((it) => it.command === group.select.value);
  if (!change) return;
  if (!ASKED.has(group.key)) {
    send(change.command);
    return;
  }
  const dialog = byId("ask");
  say(byId("ask-label"), `${change.label}?`);
  say(byId("ask-command"), change.command);
  dialog.onclose = () => {
    if (dialog.returnValue === "run") send(change.command);
    dialog.returnValue = "";
    group.button.focus();
  };
  dialog.showModal();
}

async function send(command) {
  const answer = await fetch("/run", { method: "POST", body: command }).catch((error) => ({ ok: false, text: () => String(error) }));
  if (answer.ok) return;
  const text = (await answer.text()).trim();
  report({ command, lines: [text], code: -1 });
}

/** Shows the change that runs or ran last. */
export function report(run) {
  running = run.code === null;
  say(byId("run-command"), run.command);
  const word = running ? "running" : run.code === 0 ? "done" : `failed (${run.code})`;
  set(say(byId("run-code"), word), { class: `badge ${running ? "open" : run.code === 0 ? "good" : "bad"}` });
  const lines = byId("run-lines");
  say(lines, run.lines.join("\n"));
  lines.scrollTop = lines.scrollHeight;
  for (const group of groups.values()) refresh(group);
}
