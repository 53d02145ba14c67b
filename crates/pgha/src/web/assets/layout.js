// Where sites and members stand in the picture. Follows from the list of sites and the width alone, so nothing moves while
// roles and states change.

const HEAD = 30;
const NODE = 42;
const SMALL = 25;
const FOOT = 8;
const ROW_GAP = 96;
const EDGE = 14;

/** Boxes of sites and members, and the size of all. */
export function layout(sites, members, room) {
  const top = sites.length < 3 ? sites.length : Math.ceil(sites.length / 2);
  const many = top > 3;
  const narrow = many || room < 560;
  const boxWidth = narrow ? 148 : Math.min(230, Math.max(184, (room - 2 * EDGE) / top - 130));
  const rows = [sites.slice(0, top), sites.slice(top)].filter((row) => row.length > 0);
  const gap = many ? 26 : narrow ? 84 : 92;
  const width = Math.max(room, top * boxWidth + (top - 1) * gap + 2 * EDGE);
  const arcs = top > 2 ? 18 + 16 * (top - 2) : 0;
  const boxes = new Map();
  const places = new Map();
  let y = EDGE + arcs;
  rows.forEach((row, number) => {
    const heights = row.map((site) => height(site, members));
    const tallest = Math.max(...heights);
    const free = width - 2 * EDGE - row.length * boxWidth;
    const between = Math.min(Math.max(gap, free / (row.length + 1)), 320);
    let x = (width - row.length * boxWidth - (row.length - 1) * between) / 2;
    row.forEach((site, place) => {
      const at = { x, y, w: boxWidth, h: heights[place], row: number, place };
      boxes.set(site.name, at);
      stand(site, members, at, places);
      x += boxWidth + between;
    });
    y += tallest + ROW_GAP;
  });
  const below = rows.length > 1 && rows[1].length > 2 ? 18 + 16 * (rows[1].length - 2) : 0;
  return { width, height: y - ROW_GAP + EDGE + below, boxes, places };
}

const isNode = (member) => member?.kind === "postgres";

function height(site, members) {
  const nodes = site.members.filter((name) => isNode(members.get(name))).length;
  return HEAD + nodes * NODE + (site.members.length - nodes) * SMALL + FOOT;
}

/** Nodes first, then the small members. */
function stand(site, members, box, places) {
  let y = box.y + HEAD;
  const sorted = [...site.members].sort((a, b) => isNode(members.get(b)) - isNode(members.get(a)));
  for (const name of sorted) {
    const h = isNode(members.get(name)) ? NODE : SMALL;
    places.set(name, { x: box.x + 8, y, w: box.w - 16, h: h - 4 });
    y += h;
  }
}

/** The way between two boxes as a path, and its middle; neighbours by their sides, others by an arc past the row. */
export function way(a, b, side) {
  if (a.row !== b.row) {
    const [up, down] = a.row < b.row ? [a, b] : [b, a];
    const from = { x: up.x + up.w / 2 + lean(up, down), y: up.y + up.h };
    const to = { x: down.x + down.w / 2 - lean(up, down), y: down.y };
    return line(a === up ? from : to, a === up ? to : from, side, null);
  }
  const [left, right] = a.x < b.x ? [a, b] : [b, a];
  if (right.place - left.place === 1) {
    const y = Math.min(left.y + left.h, right.y + right.h) - left.y;
    const from = { x: left.x + left.w, y: left.y + Math.min(y / 2, 70) };
    const to = { x: right.x, y: from.y };
    return line(a === left ? from : to, a === left ? to : from, side, null);
  }
  const over = a.row === 0 ? -1 : 1;
  const edge = (box) => (over < 0 ? box.y : box.y + box.h);
  const bow = { x: (left.x + right.x + left.w) / 2, y: edge(a) + over * 34 * (right.place - left.place - 1) };
  const foot = (box, to) => ({ x: box.x + box.w / 2 + (to.x > box.x ? 20 : -20), y: edge(box) });
  return line(foot(a, b), foot(b, a), side, bow);
}

const lean = (up, down) => Math.max(-1, Math.min(1, (down.x - up.x) / 300)) * up.w * 0.3;

/** Both directions are drawn, each a little to its right. */
function line(from, to, side, bow) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const [nx, ny] = [(-(to.y - from.y) / length) * side, ((to.x - from.x) / length) * side];
  const p = (point) => `${(point.x + nx).toFixed(1)} ${(point.y + ny).toFixed(1)}`;
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  if (!bow) return { path: `M${p(from)}L${p(to)}`, middle };
  return { path: `M${p(from)}Q${p(bow)} ${p(to)}`, middle: { x: (middle.x + bow.x) / 2, y: (middle.y + bow.y) / 2 } };
}
