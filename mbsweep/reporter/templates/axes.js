// What axes, colours and markers of the explorer can tell, and the points of two axes.

const FEW = 8; // more values of a field get a colour bar, or one marker

// Every number, and the latencies of the other groups, so that one device can be drawn against another.
function axes() {
  const own = columns.filter(({ name }) => isNumeric[name] && isKnown(name));
  const found = own.map((column) => ({ key: column.name, name: column.name, words: labelled(column) }));
  groups.forEach(({ key, device, rows: others }, group) => {
    if (groups.length < 2 || !others.some((row) => row.latency_ms !== null)) return;
    found.push({ key: `latency_ms@${key}`, name: "latency_ms", group, words: `Latency (ms): ${key}, ${device}` });
  });
  return found;
}
const axisOf = Object.fromEntries(axes().map((axis) => [axis.key, axis]));
const distinct = (name) => [...new Set(rows.map((row) => row[name]))].filter((value) => value !== null);
const varying = columns.map(({ name }) => name).filter((name) => name !== "variant" && distinct(name).length > 1);
const colours = () => [usualColour, ...varying.filter((name) => name !== usualColour && (isNumeric[name] || distinct(name).length <= FEW))];
const markers = (name) => (isNumeric[name] ? FEW : payload.symbols.length);
const shapes = () => ["resolution", ...varying.filter((name) => name !== "resolution" && distinct(name).length <= markers(name))];

// The row whose number an axis has: that of the same network in the axis's group.
const elsewhere = new Map(); // group -> variant -> row
function rowOn({ group }, row) {
  if (group === undefined) return row;
  if (!elsewhere.has(group)) elsewhere.set(group, new Map(groups[group].rows.map((other) => [other.variant, other])));
  return elsewhere.get(group).get(row.variant);
}
const valueOn = (axis, row) => rowOn(axis, row)?.[axis.name] ?? null;

// x and y in the units of the axes, for the rows that have both.
function located(some = groupRows()) {
  const [x, y] = [axisOf[state.x], axisOf[state.y]];
  const isShown = (value, log) => typeof value === "number" && (!log || value > 0);
  return some
    .map((row) => ({ row, x: valueOn(x, row), y: valueOn(y, row) }))
    .filter((point) => isShown(point.x, state.logX) && isShown(point.y, state.logY))
    .map((point) => ({ row: point.row, x: point.x / columnOf[x.name].scale, y: point.y / columnOf[y.name].scale }));
}

function colourScale() {
  const values = distinct(state.colour);
  const isFew = values.length <= FEW;
  values.sort((a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b))));
  const pick = (place) => payload.colours[Math.floor((place * (payload.colours.length - 1)) / Math.max(values.length - 1, 1) + 0.5)];
  return isFew ? new Map(values.map((value, place) => [value, pick(place)])) : null;
}

function shapeScale() {
  if (state.shape === "family") return new Map(families.map((name) => [name, payload.families[name].symbol]));
  const values = distinct(state.shape);
  values.sort((a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b))));
  return values.length <= markers(state.shape) ? new Map(values.map((value, place) => [value, payload.symbols[place]])) : new Map();
}
