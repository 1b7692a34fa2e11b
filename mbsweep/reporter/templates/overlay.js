// What lies over the points of the explorer: the Pareto front, a fitted line, rings and names; and the fading.

const FADED = 0.4; // opacity of what is beyond the budgets
const DIMMED = 0.15; // of what is not selected, where that is more than can be shaded
const UNSETTLED = [5, 95]; // a probability of being on the front between these, in percent, is an open question
const PALE = 0.25; // of the filling of what another beats on both axes
const NAMED = 24; // points of a front; more names would hide them
const overlay = document.getElementById("explorer-overlay");
const underlay = document.getElementById("explorer-underlay");

// 1 where the lower end of an axis is the better one, -1 where the higher is, else undefined.
const signOf = (key) => ({ lower: 1, higher: -1 })[columnOf[axisOf[key].name].better];

// Whether one axis is what is bought with the other: of two costs nobody chooses one for the other.
const isTradeOff = () => [state.x, state.y].some((key) => signOf(key) === -1);

// The points, the best on x first, and of equal ones the best on y.
function inOrder(points) {
  const [signX, signY] = [signOf(state.x) ?? 1, signOf(state.y) ?? 1];
  return [...points].sort((a, b) => signX * (a.x - b.x) || signY * (a.y - b.y));
}

// Of points in order, those that no other beats on both axes; nothing where an axis has no better end.
function frontOf(sorted) {
  const [signX, signY] = [signOf(state.x), signOf(state.y)];
  if (!signX || !signY || state.x === state.y || isTwoLatencies()) return [];
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
  const isWithin = fitsWithin(state);
  const within = new Set(isLimited ? points.filter(({ row }) => isWithin(row)) : points);
  const isOpen = ({ row }) => row.front_pct > UNSETTLED[0] && row.front_pct < UNSETTLED[1];
  const isFitted = state.x.startsWith("macs") && state.y.startsWith("latency_ms");
  const fronts = frontsOf([...within]);
  marks = {
    within,
    fronts,
    onFront: new Set(fronts.flat()),
    hasFront: fronts.some((front) => front.length > 0),
    fit: isFitted ? fitted([...within]) : null,
    unsettled: isLatencyFront() ? [...within].filter(isOpen) : [],
    second: secondFronts(),
    chosen: points.filter(({ row }) => row.variant === state.variant),
    named: isSample() && !isOnFront() ? [] : decision().fitting.slice(0, 2).map((row) => points.find((point) => point.row === row)),
  };
  drawOverlay();
  clearTimeout(fading);
  if (isWebgl) fading = setTimeout(fade, 150);
  else fade();
  describe(points);
}

let marks = null; // what lies over the points
let fading = 0;

const opacityOf = (point) => (isDimmed(point) ? DIMMED : marks.within.has(point) ? 1 : FADED);

// Whether another within the budgets beats it on both axes. What is beyond them is faded, which is enough.
const isPale = (point) => marks.hasFront && isTradeOff() && marks.within.has(point) && !marks.onFront.has(point);

function fade() {
  if (isWebgl) {
    const opacity = base.map((members) => members.map(opacityOf));
    Plotly.restyle(plot, { "marker.opacity": opacity }, [...base.keys()]);
    return;
  }
  const drawn = plot.querySelectorAll(".scatterlayer .trace");
  [...base.keys()].filter((place) => base[place].length).forEach((place, number) => {
    const edge = baseColours[place];
    drawn[number]?.querySelectorAll(".points path").forEach((path, at) => {
      const point = base[place][at];
      const pale = isPale(point);
      path.style.opacity = opacityOf(point);
      path.style.fillOpacity = pale ? PALE : 1;
      path.style.stroke = edge && pale ? edge : isPredicted(point) ? path.style.stroke : tone("--edge");
    });
    drawn[number]?.querySelectorAll(".errorbar").forEach((bar, at) => {
      bar.style.opacity = base[place][at] ? opacityOf(base[place][at]) : 1;
    });
  });
}

// Up to the first, from step to step, and on to the end of what may be spent: with the figure's right edge, or a budget.
function stairs([first, ...steps], x, y, [bottom, end] = [null, null]) {
  const begin = bottom === null ? `M${x(first)},${y(first)}` : `M${x(first)},${bottom}V${y(first)}`;
  return `${begin}${steps.map((step) => `H${x(step)}V${y(step)}`).join("")}${end === null ? "" : `H${end}`}`;
}
const fitEnds = ({ ends, at }) => ends.map((x) => ({ x, y: at(x) }));

function drawn(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// In pixels, below and over plotly's own drawing.
function drawOverlay() {
  const { xaxis, yaxis } = plot._fullLayout;
  const x = (point) => xaxis.d2p(point.x);
  const y = (point) => yaxis.d2p(point.y);
  const [width, height] = [xaxis._length, yaxis._length];
  const frames = [underlay, overlay].map((layer) => {
    layer.replaceChildren();
    Object.assign(layer.style, { left: `${xaxis._offset}px`, top: `${yaxis._offset}px` });
    const frame = drawn("svg", { width, height }); // cuts off what a zoom has moved out
    layer.append(frame);
    return frame;
  });
  const [below, above] = frames;
  const line = (d, stroke, more = {}) => below.append(drawn("path", { d, stroke, fill: "none", "stroke-width": 1.5, ...more }));
  const spent = shade(below, { xaxis, yaxis });
  shadeSelected(below, ordered, { x, y });
  if (marks.fit) line(`M${fitEnds(marks.fit).map((end) => `${x(end)},${y(end)}`).join("L")}`, "#888", { "stroke-dasharray": "2 3" });
  if (isTwoLatencies()) line(equals(xaxis, yaxis), "#888", { "stroke-dasharray": "6 4" });
  const isUsual = signOf(state.x) === 1 && signOf(state.y) === -1;
  const reach = isUsual ? [height, Math.min(spent, width)] : undefined;
  drawSecond(below, { x, y, reach });
  for (const front of marks.fronts) if (front.length > 1 || (isUsual && front.length)) line(stairs(front, x, y, reach), tone("--front"), { "stroke-width": 2 });
  const ring = (point, r, stroke, size) => above.append(drawn("circle", { cx: x(point), cy: y(point), r, stroke, fill: "none", "stroke-width": size }));
  for (const point of marks.unsettled) ring(point, 10, UNSETTLED_COLOUR, 2);
  for (const point of marks.chosen) ring(point, 12, tone("--accent"), 3);
  if (marks.named[0]) ring(marks.named[0], 12, tone("--ink"), 2);
  if (!isSample() || isOnFront()) nameThem({ x, y, width, height });
  handles({ xaxis, yaxis, width, height });
}

const isTwoLatencies = () => state.x !== state.y && [state.x, state.y].every((key) => axisOf[key].name === "latency_ms");

// The line on which both axes have the same value.
function equals(xaxis, yaxis) {
  const most = [xaxis, yaxis].map((axis) => axis.range.map((end) => axis.r2l(end)).map((end) => axis.l2d(end)));
  const [low, high] = [Math.max(most[0][0], most[1][0]), Math.min(most[0][1], most[1][1])];
  return `M${xaxis.d2p(low)},${yaxis.d2p(low)}L${xaxis.d2p(high)},${yaxis.d2p(high)}`;
}

// How wide words are, in pixels.
const pen = document.createElement("canvas").getContext("2d");
function widthOf(words, { "font-size": size, "font-weight": weight }) {
  pen.font = `${weight} ${size}px system-ui, sans-serif`;
  return pen.measureText(words).width;
}
const lookOf = (bold, number) => ({ "font-size": bold ? 13 : 12, "font-weight": bold && !number ? 700 : 400 });

// Names beside points: the best with what it is worth, a second front at its end, then those of the fronts, each where no
// other stands.
function nameThem({ x, y, width, height }) {
  const names = drawn("svg", { class: "names", width: 1, height: 1 });
  overlay.append(names);
  const taken = [...base.flat()].slice(0, 400).map((point) => [x(point) - 5, y(point) - 5, x(point) + 5, y(point) + 5]);
  const isFree = ([left, top, right, bottom]) => left > -2 && right < width + 10 && top > -12 && bottom < height && taken.every(([l, t, r, b]) => right < l || left > r || bottom < t || top > b);
  const put = (point, lines, bold, more = {}) => {
    const size = Math.max(...lines.map((words, number) => widthOf(words, lookOf(bold, number))));
    const tall = 15 * lines.length;
    const isLast = bold && lines.length === 1; // the best is named, whatever is below
    const spots = [[-9 - size, -8 - tall], [9, 4], [9, -8 - tall], [-9 - size, 4], [-size / 2, -14 - tall], [-size / 2, 12]];
    for (const [dx, dy] of spots) {
      const box = [x(point) + dx, y(point) + dy, x(point) + dx + size, y(point) + dy + tall];
      if (!isFree(box) && !(isLast && box[0] > -2 && box[2] < width + 10)) continue;
      taken.push(box);
      const anchor = dx < -size + 1 ? "end" : dx < 0 ? "middle" : "start";
      const at = anchor === "end" ? box[2] : anchor === "middle" ? (box[0] + box[2]) / 2 : box[0];
      lines.forEach((words, number) => names.append(drawn("text", { x: at, y: box[1] + 12 + 15 * number, fill: tone("--ink"), "text-anchor": anchor, ...lookOf(bold, number), ...more }, words)));
      return true;
    }
    return bold && lines.length > 1 && put(point, lines.slice(0, 1), true);
  };
  const isIn = (point) => point && x(point) >= 0 && x(point) <= width && y(point) >= 0 && y(point) <= height;
  const [best] = marks.named;
  if (isIn(best)) put(best, [`${short(best.row)} · best${state.limits.latency_ms !== undefined && state.x === "latency_ms" ? ` within ${quantity("latency_ms", state.limits.latency_ms)}` : ""}`, [worthWords(best.row, true), isAsked() && chanceOf(best.row, state)?.share < 1 ? `fits with ${chanceWords(chanceOf(best.row, state))}` : ""].filter(Boolean).join(" · ")], true);
  marks.second[0]?.filter(isIn).reverse().some((point) => put(point, [secondWords()], false, { class: "second" }));
  const fronts = marks.fronts.flat();
  if (fronts.length <= NAMED) for (const point of fronts) if (point !== best && isIn(point)) put(point, [short(point.row)], false);
}

// The next point of the front, by the arrow keys.
function alongFront(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.target !== event.currentTarget || !marks?.hasFront) return;
  event.preventDefault();
  const front = [...marks.onFront].sort((a, b) => a.x - b.x);
  const at = front.findIndex(({ row }) => row.variant === (state.variant ?? marks.named[0]?.row.variant));
  const next = front[Math.min(Math.max((at < 0 ? 0 : at + step), 0), front.length - 1)];
  change({ variant: next.row.variant });
}

// The traces of a figure that is saved: on the page, SVG markers fade by their style alone.
function fadedData(data) {
  return data.map((trace, place) => {
    if (!base[place]) return trace;
    const marker = { ...trace.marker, opacity: base[place].map(opacityOf) };
    const colour = baseColours[place];
    if (colour && !isWebgl) marker.color = base[place].map((point) => (isPale(point) ? seeThrough(colour, PALE) : colour));
    if (colour && !isWebgl) marker.line = { width: 1, color: base[place].map((point) => (isPale(point) ? colour : tone("--edge"))) };
    return { ...trace, marker };
  });
}

// The overlay as shapes and notes of a figure that is saved.
function overlayLayout() {
  const at = (point) => ({ x: state.logX ? Math.log10(point.x) : point.x, y: state.logY ? Math.log10(point.y) : point.y });
  const [x, y] = [(point) => point.x, (point) => point.y];
  const path = (d, line) => ({ type: "path", path: d, line: { width: 1.5, ...line } });
  const shapes = [];
  if (marks.fit) shapes.push(path(`M${fitEnds(marks.fit).map((end) => `${end.x},${end.y}`).join("L")}`, { color: "#888", dash: "dot" }));
  for (const front of marks.fronts) if (front.length > 1) shapes.push(path(stairs(front, x, y), { color: FRONT_COLOUR }));
  for (const front of marks.second) if (front.length > 1) shapes.push(path(stairs(front, x, y), { color: tone("--muted"), dash: "dash" }));
  const ring = (size, color) => (point) => ({ ...at(point), text: "◯", showarrow: false, font: { size, color } });
  const annotations = [...marks.unsettled.map(ring(18, UNSETTLED_COLOUR)), ...marks.chosen.map(ring(26, tone("--accent")))];
  const words = (text, at, look) => annotations.push({ ...at, text: plain(text), showarrow: false, font: { size: 12 }, ...look });
  if (marks.second.length) words(secondWords(), at(marks.second[0].at(-1)), { xanchor: "left", yanchor: "top", xshift: 4, font: { size: 12, color: tone("--muted") } });
  const [best] = marks.named;
  for (const point of marks.fronts.flat().length <= NAMED ? marks.fronts.flat() : []) words(short(point.row), at(point), point === best ? { text: `<b>${plain(short(point.row))}</b>`, xanchor: "right", yanchor: "bottom", xshift: -6, yshift: 4 } : { xanchor: "right", yanchor: "bottom", xshift: -6, yshift: 2 });
  for (const key of ["x", "y"]) {
    const { name, limit } = limitOn(state[key]);
    if (limit === undefined || limit === null) continue;
    const value = limit / columnOf[name].scale;
    const place = { [`${key}0`]: value, [`${key}1`]: value, [key === "x" ? "y0" : "x0"]: 0, [key === "x" ? "y1" : "x1"]: 1 };
    shapes.push({ type: "line", ...place, [key === "x" ? "yref" : "xref"]: "paper", line: { width: 1.5, dash: "dash", color: tone("--ink") } });
  }
  const title = `${groups[state.group].key}; ${isAsked() ? askedWords() : "no budget"}; ${groups[state.group].device}`;
  const legend = { orientation: "h", x: 0, y: -0.16, yanchor: "top", font: { size: 12 } };
  const { t, b, ...sides } = plot.layout.margin;
  return { shapes, annotations, showlegend: true, legend, title: { text: broken(plain(title), 110).join("<br>"), font: { size: 13 } }, margin: { ...sides, t: t + 40, b: b + 50 } };
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
  if (secondPoints().points.length && !marks.second.length) words.push(`the second front, ${secondWords()}, has no point within the budgets`);
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
