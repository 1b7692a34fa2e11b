// Any number against any other, for the rows of the chosen group. Points beyond the budgets fade; the Pareto front is
// that of the points within them.

const FEW = 8; // more values of a field get a colour bar, or one marker
const WEBGL_ABOVE = 2000; // SVG markers grow slow
const FRONT_COLOUR = "#c0392b";
const UNSETTLED_COLOUR = "#d98200";
const FADED = 0.25; // opacity of what is beyond the budgets
const UNSETTLED = [5, 95]; // a probability of being on the front between these, in percent, is an open question
const PARALLEL = ["width", "resolution", "depth", "macs", "params", "latency_ms", "top1_pct"];
const hasWebgl = document.createElement("canvas").getContext("webgl") !== null;
const plot = document.getElementById("explorer-plot");
const overlay = document.getElementById("explorer-overlay");
const remark = document.getElementById("explorer-remark");

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
const colours = () => ["width", ...varying.filter((name) => name !== "width" && (isNumeric[name] || distinct(name).length <= FEW))];
const shapes = () => ["resolution", ...varying.filter((name) => name !== "resolution" && distinct(name).length <= FEW)];

const elsewhere = new Map(); // group -> variant -> row
function valueOn({ name, group }, row) {
  if (group === undefined) return row[name];
  if (!elsewhere.has(group)) elsewhere.set(group, new Map(groups[group].rows.map((other) => [other.variant, other])));
  return elsewhere.get(group).get(row.variant)?.[name] ?? null;
}

// x and y in the units of the axes, for the rows that have both.
function located() {
  const [x, y] = [axisOf[state.x], axisOf[state.y]];
  const isShown = (value, log) => typeof value === "number" && (!log || value > 0);
  return groupRows()
    .map((row) => ({ row, x: valueOn(x, row), y: valueOn(y, row) }))
    .filter((point) => isShown(point.x, state.logX) && isShown(point.y, state.logY))
    .map((point) => ({ row: point.row, x: point.x / columnOf[x.name].scale, y: point.y / columnOf[y.name].scale }));
}

// 1 where the lower end of an axis is the better one, -1 where the higher is, else undefined.
const signOf = (key) => ({ lower: 1, higher: -1 })[columnOf[axisOf[key].name].better];

// The points, the best on x first, and of equal ones the best on y.
function inOrder(points) {
  const [signX, signY] = [signOf(state.x) ?? 1, signOf(state.y) ?? 1];
  return [...points].sort((a, b) => signX * (a.x - b.x) || signY * (a.y - b.y));
}

// Of points in order, those that no other beats on both axes; nothing where an axis has no better end.
function frontOf(sorted) {
  const [signX, signY] = [signOf(state.x), signOf(state.y)];
  if (!signX || !signY || state.x === state.y) return [];
  const front = [];
  let least = Infinity; // of y, among the points that are cheaper on x
  for (let i = 0, end = 0; i < sorted.length; i = end) {
    while (end < sorted.length && sorted[end].x === sorted[i].x) end += 1;
    const best = signY * sorted[i].y;
    if (best < least) {
      front.push(...sorted.slice(i, end).filter((point) => signY * point.y === best));
      least = best;
    }
  }
  return front;
}

function hoverWords({ row }) {
  const lines = [`<b>${plain(row.variant)}</b>`];
  for (const name of new Set([axisOf[state.x].name, axisOf[state.y].name, "latency_ms", "top1_pct", "macs", "params"])) {
    if (row[name] === null) continue;
    const source = { latency_ms: row.latency_kind, top1_pct: `${row.top1_kind}, ${row.top1_source}` }[name];
    lines.push(plain(`${columnOf[name].label}: ${quantity(name, row[name])}${source ? ` (${source})` : ""}`));
    if (name === "latency_ms" && interval(row)) lines.push(`95 % interval: ${interval(row)}`.replace("%", "&#37;"));
  }
  if (row.front_pct !== null) lines.push(`on the front with a probability of ${Math.round(row.front_pct)} &#37;`);
  return lines.join("<br>");
}

function colourScale() {
  const values = distinct(state.colour);
  const isFew = values.length <= FEW;
  values.sort((a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b))));
  const pick = (place) => payload.colours[Math.round((place * (payload.colours.length - 1)) / Math.max(values.length - 1, 1))];
  return isFew ? new Map(values.map((value, place) => [value, pick(place)])) : null;
}

function shapeScale() {
  const values = distinct(state.shape);
  values.sort((a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b))));
  return values.length <= FEW ? new Map(values.map((value, place) => [value, payload.symbols[place]])) : new Map();
}

// Error bars where an axis is the latency of this very group; many of them would be one grey band.
function bars(points, key, end) {
  if (key !== "latency_ms" || points.length > WEBGL_ABOVE || !points.some(({ row }) => interval(row))) return undefined;
  const reach = (high) => points.map(({ row }) => {
    const limit = row[high ? "latency_high_ms" : "latency_low_ms"];
    return limit === null ? 0 : Math.max(high ? limit - row.latency_ms : row.latency_ms - limit, 0);
  });
  return { type: "data", symmetric: false, array: reach(true), arrayminus: reach(false), color: end, thickness: 1, width: 3 };
}

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let base = []; // the traces of points: each a list of points
let ordered = []; // all of them, as `inOrder` has them
let isWebgl = false;

function scatterFigure() {
  const points = located();
  ordered = inOrder(points);
  isWebgl = points.length > WEBGL_ABOVE && hasWebgl;
  const type = isWebgl ? "scattergl" : "scatter";
  const [byColour, byShape] = [colourScale(), shapeScale()];
  const symbol = ({ row }) => (byShape.get(row[state.shape]) ?? "circle") + (row.latency_kind === "predicted" ? "-open" : "");
  base = byColour ? [...byColour.keys(), null].map((value) => points.filter(({ row }) => row[state.colour] === value)) : [points];
  const colourValues = byColour ? [...byColour.values(), "#888"] : [];
  const data = base.map((members, place) => ({
    type,
    mode: "markers",
    x: members.map(({ x }) => x),
    y: members.map(({ y }) => y),
    customdata: members.map(({ row }) => row.variant),
    text: members.map(hoverWords),
    hovertemplate: "%{text}<extra></extra>",
    showlegend: false,
    marker: {
      size: isWebgl ? 6 : 10,
      symbol: members.map(symbol),
      color: byColour ? colourValues[place] : members.map(({ row }) => row[state.colour]),
      ...(byColour ? {} : { coloraxis: "coloraxis" }),
      line: { width: isWebgl ? 0 : 0.8, color: tone("--edge") },
    },
    error_x: bars(members, state.x, tone("--muted")),
    error_y: bars(members, state.y, tone("--muted")),
  }));
  const entry = (name, mode, look) => data.push({ type: "scatter", x: [null], y: [null], name, mode, hoverinfo: "skip", ...look });
  for (const [value, color] of byColour ?? []) entry(plain(legendWords(state.colour, value)), "markers", { marker: { color, size: 10 } });
  for (const [value, shape] of byShape) entry(plain(legendWords(state.shape, value)), "markers", { marker: { color: "#777", symbol: shape, size: 10 } });
  if (points.some(({ row }) => row.latency_kind === "predicted")) entry("hollow: predicted", "markers", { marker: { color: "#777", symbol: "circle-open", size: 10 } });
  entry("Pareto front within the budgets", "lines", { line: { color: FRONT_COLOUR, width: 1.5 } });
  if (isLatencyFront()) entry("front not settled (5 to 95 &#37;)", "markers", { marker: { size: 13, symbol: "circle-open", color: UNSETTLED_COLOUR, line: { width: 2 } } });
  return { data, layout: scatterLayout(points) };
}

function legendWords(name, value) {
  const { label, unit } = columnOf[name];
  return name === "width" ? `width ${value}` : name === "resolution" ? `${value} px` : `${label} ${written(value)} ${unit}`;
}

// Whether the axes are those of the probability of being on the front.
const isLatencyFront = () => state.x === "latency_ms" && state.y === "top1_pct";

function axisLayout(key, log, values) {
  const { name, words } = axisOf[key];
  const title = key.includes("@") ? plain(words).replace(/(.{50}\S*) /g, "$1<br>") : plain(labelled(columnOf[name]));
  const look = { title: { text: title + (log ? " (log)" : ""), font: { size: 13 } }, type: log ? "log" : "linear", automargin: true };
  Object.assign(look, { gridcolor: tone("--line"), zerolinecolor: tone("--line"), linecolor: tone("--line"), ticks: "outside" });
  // 1, 2 and 5 of each decade, written out, where plotly would write a 2 for 200.
  if (log && Math.max(...values) / Math.min(...values) > 10) {
    const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
    look.tickvals = [];
    for (let power = low; power <= high; power++) for (const digit of [1, 2, 5]) look.tickvals.push(Number(`${digit}e${power}`));
  }
  return look;
}

function scatterLayout(points) {
  const bar = { title: { text: plain(columnOf[state.colour].label), side: "top" }, orientation: "h", y: 1.02, yanchor: "bottom", len: 0.6, thickness: 10 };
  return {
    ...paperLayout(),
    margin: { l: 60, r: 20, t: 45, b: 60 },
    height: 540,
    hovermode: "closest",
    dragmode: narrow.matches ? false : "zoom",
    xaxis: axisLayout(state.x, state.logX, points.map(({ x }) => x)),
    yaxis: axisLayout(state.y, state.logY, points.map(({ y }) => y)),
    legend: { orientation: "h", y: -0.2, yanchor: "top", x: 0, itemclick: false, itemdoubleclick: false },
    coloraxis: { colorscale: payload.colours.map((colour, place, all) => [place / (all.length - 1), colour]), colorbar: bar },
  };
}

function paperLayout() {
  return {
    margin: { l: 60, r: 20, t: 20, b: 60 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: tone("--ink") },
    hoverlabel: { align: "left", font: { size: 12 } },
  };
}

// y = factor * x^power by least squares of the logarithms, and how far each point is above it.
function fitted(points) {
  const known = points.filter(({ x, y }) => x > 0 && y > 0);
  if (known.length < 3) return null;
  const [u, v] = [known.map(({ x }) => Math.log(x)), known.map(({ y }) => Math.log(y))];
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [u0, v0] = [mean(u), mean(v)];
  const spread = mean(u.map((value) => (value - u0) ** 2));
  if (!(spread > 0)) return null;
  const power = mean(u.map((value, place) => (value - u0) * (v[place] - v0))) / spread;
  const at = (x) => Math.exp(v0 + power * (Math.log(x) - u0));
  const off = known.map((point) => ({ ...point, off: point.y / at(point.x) - 1 }));
  off.sort((a, b) => Math.abs(b.off) - Math.abs(a.off));
  return { power, at, off, ends: [Math.min(...known.map(({ x }) => x)), Math.max(...known.map(({ x }) => x))] };
}

// What budgets and choices change: fading, the front, rings and names. The points stay as they are: to have plotly
// draw anew takes longer than a slider's next move.
function updateOverlay() {
  const points = ordered;
  const isLimited = Object.keys(state.limits).length > 0 || state.floor !== null;
  const within = new Set(isLimited ? points.filter(({ row }) => fits(row, state)) : points);
  const isOpen = ({ row }) => row.front_pct > UNSETTLED[0] && row.front_pct < UNSETTLED[1];
  const isFitted = state.x.startsWith("macs") && state.y.startsWith("latency_ms");
  marks = {
    within,
    front: frontOf([...within]),
    fit: isFitted ? fitted([...within]) : null,
    unsettled: isLatencyFront() ? [...within].filter(isOpen) : [],
    chosen: points.filter(({ row }) => row.variant === state.variant),
    named: decision().fitting.slice(0, 2).map((row) => points.find((point) => point.row === row)),
  };
  drawOverlay();
  clearTimeout(fading);
  if (isWebgl) fading = setTimeout(fade, 150);
  else fade();
  describe(points);
}

let marks = null; // what lies over the points
let fading = 0;

function fade() {
  const of = (point) => (marks.within.has(point) ? 1 : FADED);
  if (isWebgl) {
    const opacity = base.map((members) => members.map(of));
    Plotly.restyle(plot, { "marker.opacity": opacity }, [...base.keys()]);
    return;
  }
  const drawn = plot.querySelectorAll(".scatterlayer .trace");
  [...base.keys()].filter((place) => base[place].length).forEach((place, number) => {
    drawn[number]?.querySelectorAll(".points path").forEach((path, at) => {
      path.style.opacity = of(base[place][at]);
    });
  });
}

const stairs = ([first, ...steps], x, y) => `M${x(first)},${y(first)}${steps.map((step) => `H${x(step)}V${y(step)}`).join("")}`;
const fitEnds = ({ ends, at }) => ends.map((x) => ({ x, y: at(x) }));
const NAMES = [{ text: "best", ax: -30, ay: -26 }, { text: "runner-up", ax: 34, ay: 24 }];

function drawn(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// In pixels, over plotly's own drawing.
function drawOverlay() {
  const { xaxis, yaxis } = plot._fullLayout;
  const x = (point) => xaxis.d2p(point.x);
  const y = (point) => yaxis.d2p(point.y);
  overlay.replaceChildren();
  Object.assign(overlay.style, { left: `${xaxis._offset}px`, top: `${yaxis._offset}px` });
  const frame = drawn("svg", { width: xaxis._length, height: yaxis._length }); // cuts off what a zoom has moved out
  overlay.append(frame);
  const line = (d, stroke, more = {}) => frame.append(drawn("path", { d, stroke, fill: "none", "stroke-width": 1.5, ...more }));
  if (marks.fit) line(`M${fitEnds(marks.fit).map((end) => `${x(end)},${y(end)}`).join("L")}`, "#888", { "stroke-dasharray": "2 3" });
  if (marks.front.length > 1) line(stairs(marks.front, x, y), FRONT_COLOUR);
  const ring = (point, r, stroke, width) => frame.append(drawn("circle", { cx: x(point), cy: y(point), r, stroke, fill: "none", "stroke-width": width }));
  for (const point of marks.unsettled) ring(point, 9, UNSETTLED_COLOUR, 2);
  for (const point of marks.chosen) ring(point, 12, tone("--accent"), 3);
  const names = drawn("svg", { class: "names", width: 1, height: 1 });
  overlay.append(names);
  marks.named.forEach((point, place) => {
    if (!point || x(point) < 0 || x(point) > xaxis._length || y(point) < 0 || y(point) > yaxis._length) return;
    const { text, ay } = NAMES[place];
    let { ax } = NAMES[place];
    if (x(point) + ax < 30 || x(point) + ax > xaxis._length - 70) ax = -ax; // within the figure
    const [left, top] = [x(point) + ax, y(point) + ay];
    names.append(drawn("line", { x1: x(point) + ax / 5, y1: y(point) + ay / 5, x2: left, y2: top, stroke: tone("--muted") }));
    const words = { x: left, y: top + (ay > 0 ? 14 : -4), fill: tone("--ink"), "text-anchor": ax > 0 ? "start" : "end" };
    names.append(drawn("text", { ...words, "font-size": 13, "font-weight": place ? 400 : 700 }, text));
  });
}

// The same as shapes and notes of a figure that is saved.
function overlayLayout() {
  const at = (point) => ({ x: state.logX ? Math.log10(point.x) : point.x, y: state.logY ? Math.log10(point.y) : point.y });
  const [x, y] = [(point) => point.x, (point) => point.y];
  const path = (d, line) => ({ type: "path", path: d, line: { width: 1.5, ...line } });
  const shapes = [];
  if (marks.fit) shapes.push(path(`M${fitEnds(marks.fit).map((end) => `${end.x},${end.y}`).join("L")}`, { color: "#888", dash: "dot" }));
  if (marks.front.length > 1) shapes.push(path(stairs(marks.front, x, y), { color: FRONT_COLOUR }));
  const ring = (size, color) => (point) => ({ ...at(point), text: "◯", showarrow: false, font: { size, color } });
  const annotations = [...marks.unsettled.map(ring(18, UNSETTLED_COLOUR)), ...marks.chosen.map(ring(26, tone("--accent")))];
  marks.named.forEach((point, place) => {
    if (point) annotations.push({ ...at(point), ...NAMES[place], showarrow: true, arrowhead: 0, arrowcolor: tone("--muted"), standoff: 6 });
  });
  return { shapes, annotations };
}

function describe(points) {
  const { within, front, fit, unsettled } = marks;
  const words = [`${plural(points.length, "point")}, ${within.size.toLocaleString("en")} within the budgets`];
  const missing = groupRows().length - points.length;
  if (missing) words.push(`${plural(missing, "row has", "rows have")} no place here: a number is unknown${state.logX || state.logY ? ", or not above 0 on a log axis" : ""}`);
  if (front.length > 1) words.push(`${front.length} on the Pareto front`);
  if (unsettled.length) words.push(`of ${plural(unsettled.length, "point")} the measurements do not settle whether it is on the front`);
  if (fit) {
    const far = fit.off.filter(({ off }) => Math.abs(off) > 0.2).slice(0, 4);
    const signed = (off) => `${off > 0 ? "+" : ""}${Math.round(off * 100)} %`;
    words.push(`the dotted line is latency ~ mult-adds^${fit.power.toFixed(2)}, fitted to the points within the budgets`);
    words.push(far.length ? `off it by more than 20 %: ${far.map(({ row, off }) => `${short(row)} (${signed(off)})`).join(", ")}` : "no point is off it by more than 20 %");
  }
  remark.textContent = `${words.join("; ")}.`;
  plot.setAttribute("aria-label", `${columnOf[axisOf[state.y].name].label} against ${columnOf[axisOf[state.x].name].label}: ${remark.textContent}`);
}

function parallelFigure() {
  const valuesOf = (name) => [...new Set(groupRows().map((row) => row[name]))].filter((value) => value !== null);
  const names = PARALLEL.filter((name) => valuesOf(name).length > 1);
  const known = groupRows().filter((row) => names.every((name) => row[name] !== null) && fits(row, state));
  if (!known.length || !names.length) return null;
  const goal = names.at(-1);
  const isChosen = known.some((row) => row.variant === state.variant);
  const dimensions = names.map((name) => {
    const few = valuesOf(name).length <= FEW && !columnOf[name].better; // these are all written out
    const values = known.map((row) => row[name] / columnOf[name].scale);
    return { label: plain(labelled(columnOf[name])), values, ...(few ? { tickvals: valuesOf(name) } : {}) };
  });
  const line = isChosen
    ? { color: known.map((row) => Number(row.variant === state.variant)), colorscale: [[0, "rgba(128,128,128,0.25)"], [1, FRONT_COLOUR]], cmin: 0, cmax: 1 }
    : { color: known.map((row) => row[goal]), colorscale: payload.colours.map((colour, place, all) => [place / (all.length - 1), colour]), showscale: true, colorbar: { title: { text: plain(labelled(columnOf[goal])) }, thickness: 12 } };
  remark.textContent = `${plural(known.length, "line")}, one for each variant within the budgets; drag along an axis to pick a part of it.`;
  plot.setAttribute("aria-label", `Parallel coordinates: ${remark.textContent}`);
  return { data: [{ type: "parcoords", dimensions, line, unselected: { line: { opacity: 0.05 } } }], layout: { ...paperLayout(), height: 460, margin: { l: 70, r: 40, t: 60, b: 30 } } };
}

async function drawExplorer() {
  const isParallel = state.view === "parallel";
  if (isParallel && !hasWebgl) {
    Plotly.purge(plot);
    remark.textContent = "Parallel coordinates need WebGL, which this browser does not have.";
    return;
  }
  const figure = isParallel ? parallelFigure() : scatterFigure();
  if (!figure) {
    Plotly.purge(plot);
    remark.textContent = "No variant within the budgets has a place on every axis.";
    return;
  }
  const { data, layout } = figure;
  overlay.replaceChildren();
  for (const name of ["plotly_click", "plotly_afterplot"]) plot.removeAllListeners?.(name);
  plot.style.height = `${layout.height}px`;
  await Plotly.react(plot, data, layout, { displaylogo: false, displayModeBar: false });
  plot.dataset.drawn = "yes";
  if (isParallel) return;
  updateOverlay();
  plot.on("plotly_afterplot", () => { // a zoom, another size of the window
    drawOverlay();
    if (!isWebgl) fade();
  });
  plot.on("plotly_click", ({ points: [point] }) => point.customdata && change({ variant: point.customdata }));
}

// -- its controls ---------------------------------------------------------------------------------------

// What the paper draws, and what else is asked most.
const PRESETS = {
  "Accuracy against latency": { view: "scatter", x: "latency_ms", y: "top1_pct", logX: true, logY: false },
  "Figure 4: accuracy against mult-adds": { view: "scatter", x: "macs", y: "top1_pct", logX: true, logY: false },
  "Figure 5: accuracy against parameters": { view: "scatter", x: "params", y: "top1_pct", logX: true, logY: false },
  "Latency against mult-adds": { view: "scatter", x: "macs", y: "latency_ms", logX: true, logY: true },
  "Parallel coordinates": { view: "parallel" },
};

function setUpExplorer() {
  const fill = (id, options, words) => {
    const select = document.getElementById(id);
    for (const option of options) select.append(make("option", { value: option.key ?? option }, words(option)));
    select.addEventListener("change", () => change({ [id]: select.value, view: "scatter" }));
  };
  fill("x", axes(), ({ words }) => words);
  fill("y", axes(), ({ words }) => words);
  fill("colour", colours(), (name) => columnOf[name].label);
  fill("shape", shapes(), (name) => columnOf[name].label);
  for (const id of ["logX", "logY"]) {
    const box = document.getElementById(id);
    box.addEventListener("change", () => change({ [id]: box.checked, view: "scatter" }));
  }
  for (const [words, wish] of Object.entries(PRESETS)) {
    if ([wish.x, wish.y].some((key) => key && !axisOf[key])) continue;
    const button = make("button", { type: "button" }, words);
    button.addEventListener("click", () => change(wish));
    document.getElementById("presets").append(button);
  }
  for (const format of ["png", "svg"]) {
    document.getElementById(`explorer-${format}`).addEventListener("click", () => savePicture(plot, format, "explorer", state.view === "scatter" ? overlayLayout() : {}));
  }
  new ResizeObserver(() => plot.data && Plotly.Plots.resize(plot)).observe(plot);
  onChange((changed) => {
    const has = (...names) => names.some((name) => changed.has(name));
    if (has("group", "view", "x", "y", "logX", "logY", "colour", "shape", "theme")) showExplorer();
    else if (has("limits", "floor", "by", "variant")) state.view === "parallel" ? drawExplorer() : soon(updateOverlay);
  });
}

// At most once a frame: a slider asks more often.
let waiting = false;
function soon(work) {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    if (state.view === "scatter") work();
  });
}

function showExplorer() {
  for (const id of ["x", "y", "colour", "shape"]) document.getElementById(id).value = state[id];
  for (const id of ["logX", "logY"]) document.getElementById(id).checked = state[id];
  for (const button of document.querySelectorAll("#presets button")) {
    const isOn = Object.entries(PRESETS[button.textContent]).every(([name, value]) => state[name] === value);
    button.setAttribute("aria-pressed", isOn);
  }
  document.getElementById("axes").hidden = state.view === "parallel";
  drawExplorer();
}

async function savePicture(element, format, name, more = {}) {
  const width = Math.max(Math.round(element.getBoundingClientRect().width), 700);
  const figure = { data: element.data, layout: { ...element.layout, ...more, paper_bgcolor: tone("--paper") } };
  const size = { width, height: Math.round(element._fullLayout.height), scale: format === "png" ? 2 : 1 };
  download(`${document.title} ${name}.${format}`, await Plotly.toImage(figure, { format, ...size }));
}
