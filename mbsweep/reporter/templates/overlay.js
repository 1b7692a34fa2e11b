// What lies over the points of the explorer: the Pareto front, a fitted line, rings and names; and the fading.

const FADED = 0.25; // opacity of what is beyond the budgets
const UNSETTLED = [5, 95]; // a probability of being on the front between these, in percent, is an open question
const overlay = document.getElementById("explorer-overlay");

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

// One front for each source of accuracies, where these are drawn: points of two are joined only if the reader asks.
function frontsOf(sorted) {
  if (state.joined || !drawsAccuracy()) return [frontOf(sorted)];
  return originsOf(sorted.map(({ row }) => row)).map((origin) => frontOf(sorted.filter(({ row }) => originOf(row) === origin)));
}

// Whether the axes are those of the probability of being on the front.
const isLatencyFront = () => state.x === "latency_ms" && state.y === "top1_pct";

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
  if (!points.length) return; // nothing is drawn
  const isLimited = Object.keys(state.limits).length > 0 || state.floor !== null;
  const within = new Set(isLimited ? points.filter(({ row }) => fits(row, state)) : points);
  const isOpen = ({ row }) => row.front_pct > UNSETTLED[0] && row.front_pct < UNSETTLED[1];
  const isFitted = state.x.startsWith("macs") && state.y.startsWith("latency_ms");
  marks = {
    within,
    fronts: frontsOf([...within]),
    fit: isFitted ? fitted([...within]) : null,
    unsettled: isLatencyFront() ? [...within].filter(isOpen) : [],
    chosen: points.filter(({ row }) => row.variant === state.variant),
    named: isSample() ? [] : decision().fitting.slice(0, 2).map((row) => points.find((point) => point.row === row)),
  };
  drawOverlay();
  clearTimeout(fading);
  if (isWebgl) fading = setTimeout(fade, 150);
  else fade();
  describe(points);
}

let marks = null; // what lies over the points
let fading = 0;

const opacityOf = (point) => (marks.within.has(point) ? 1 : FADED);

function fade() {
  if (isWebgl) {
    const opacity = base.map((members) => members.map(opacityOf));
    Plotly.restyle(plot, { "marker.opacity": opacity }, [...base.keys()]);
    return;
  }
  const drawn = plot.querySelectorAll(".scatterlayer .trace");
  [...base.keys()].filter((place) => base[place].length).forEach((place, number) => {
    drawn[number]?.querySelectorAll(".points path").forEach((path, at) => {
      path.style.opacity = opacityOf(base[place][at]);
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
  for (const front of marks.fronts) if (front.length > 1) line(stairs(front, x, y), FRONT_COLOUR);
  const ring = (point, r, stroke, width) => frame.append(drawn("circle", { cx: x(point), cy: y(point), r, stroke, fill: "none", "stroke-width": width }));
  for (const point of marks.unsettled) ring(point, 9, UNSETTLED_COLOUR, 2);
  for (const point of marks.chosen) ring(point, 12, tone("--accent"), 3);
  const names = drawn("svg", { class: "names", width: 1, height: 1 });
  overlay.append(names);
  marks.named.forEach((point, place) => {
    if (!point || x(point) < 0 || x(point) > xaxis._length || y(point) < 0 || y(point) > yaxis._length) return;
    const { text, ay } = NAMES[place];
    let { ax } = NAMES[place];
    if (ax < 0 ? x(point) + ax < 30 : x(point) + ax > xaxis._length - 70) ax = -ax; // within the figure
    const [left, top] = [x(point) + ax, y(point) + ay];
    names.append(drawn("line", { x1: x(point) + ax / 5, y1: y(point) + ay / 5, x2: left, y2: top, stroke: tone("--muted") }));
    const words = { x: left, y: top + (ay > 0 ? 14 : -4), fill: tone("--ink"), "text-anchor": ax > 0 ? "start" : "end" };
    names.append(drawn("text", { ...words, "font-size": 13, "font-weight": place ? 400 : 700 }, text));
  });
}

// The traces of a figure that is saved: on the page, SVG markers fade by their style alone.
function fadedData(data) {
  return data.map((trace, place) => (base[place] ? { ...trace, marker: { ...trace.marker, opacity: base[place].map(opacityOf) } } : trace));
}

// The overlay as shapes and notes of a figure that is saved.
function overlayLayout() {
  const at = (point) => ({ x: state.logX ? Math.log10(point.x) : point.x, y: state.logY ? Math.log10(point.y) : point.y });
  const [x, y] = [(point) => point.x, (point) => point.y];
  const path = (d, line) => ({ type: "path", path: d, line: { width: 1.5, ...line } });
  const shapes = [];
  if (marks.fit) shapes.push(path(`M${fitEnds(marks.fit).map((end) => `${end.x},${end.y}`).join("L")}`, { color: "#888", dash: "dot" }));
  for (const front of marks.fronts) if (front.length > 1) shapes.push(path(stairs(front, x, y), { color: FRONT_COLOUR }));
  const ring = (size, color) => (point) => ({ ...at(point), text: "◯", showarrow: false, font: { size, color } });
  const annotations = [...marks.unsettled.map(ring(18, UNSETTLED_COLOUR)), ...marks.chosen.map(ring(26, tone("--accent")))];
  marks.named.forEach((point, place) => {
    if (point) annotations.push({ ...at(point), ...NAMES[place], showarrow: true, arrowhead: 0, arrowcolor: tone("--muted"), standoff: 6 });
  });
  return { shapes, annotations };
}

function nowhere(count) {
  const isLog = state.logX || state.logY;
  return `${plural(count, "row has", "rows have")} no place here: a number is unknown${isLog ? ", or not above 0 on a log axis" : ""}`;
}

function describe(points) {
  const { within, fronts, fit, unsettled } = marks;
  const all = groups[state.group].total;
  const sample = isSample() ? ` of a sample of ${all.toLocaleString("en")} rows` : "";
  const words = [`${plural(points.length, "point")}${sample}, ${within.size.toLocaleString("en")}${sample && " of them"} within the budgets`];
  const missing = groupRows().length - points.length;
  if (missing) words.push(nowhere(missing));
  const onFronts = fronts.flat().length;
  const which = fronts.length > 1 ? `fronts of ${fronts.length} accuracy sources, each by itself` : `front${sample && " of the sample"}`;
  if (onFronts > 1) words.push(`${onFronts} on the Pareto ${which}`);
  if (unsettled.length) words.push(`of ${plural(unsettled.length, "point")} the measurements do not settle whether it is on the front`);
  if (fit) {
    const far = fit.off.filter(({ off }) => Math.abs(off) > 0.2).slice(0, 4);
    const signed = (off) => `${off > 0 ? "+" : ""}${Math.round(off * 100)} %`;
    words.push(`the dotted line is latency ~ mult-adds^${fit.power.toFixed(2)}, fitted to the points within the budgets`);
    if (!sample) words.push(far.length ? `off it by more than 20 %: ${far.map(({ row, off }) => `${short(row)} (${signed(off)})`).join(", ")}` : "no point is off it by more than 20 %");
  }
  remark.textContent = `${words.join("; ")}.`;
  plot.setAttribute("aria-label", `${columnOf[axisOf[state.y].name].label} against ${columnOf[axisOf[state.x].name].label}: ${remark.textContent}`);
}
