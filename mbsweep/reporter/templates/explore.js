// Any number against any other, for the rows of the chosen group. What an axis, a colour and a marker can tell is in
// axes.js, what lies over the points in overlay.js; parallel coordinates are in parallel.js.

const WEBGL_ABOVE = 2000; // SVG markers grow slow
const FRONT_COLOUR = "#c0392b";
const UNSETTLED_COLOUR = "#d98200";
const SIZE = 11; // of a circle; other markers have its area
const AREA = { square: 0.89, diamond: 0.96, "triangle-up": 1.35, "triangle-down": 1.35, "triangle-left": 1.35, "triangle-right": 1.35, pentagon: 1.15, hexagon: 1.1, star: 1.2 };
const hasWebgl = document.createElement("canvas").getContext("webgl") !== null;
const plot = document.getElementById("explorer-plot");
const remark = document.getElementById("explorer-remark");
const PICTURES = ["explorer-png", "explorer-svg"]; // the buttons that save it

// Words over lines of at most so many characters.
const broken = (words, most = 60) => words.match(new RegExp(`.{1,${most}}(\\s|$)|\\S+`, "g")) ?? [];

function hoverWords({ row }) {
  const lines = [`<b>${plain(row.variant)}</b>`];
  const tell = (words, one, name, source) => {
    lines.push(plain(`${words}: ${quantity(name, one[name])}${source ? ` (${source})` : ""}`));
    if (name in BARS && interval(one, name)) lines.push(plain(`95 % interval: ${interval(one, name)}`));
  };
  for (const name of new Set([axisOf[state.x].name, axisOf[state.y].name, "latency_ms", "top1_pct", "macs", "params"])) {
    if (row[name] === null) continue;
    tell(columnOf[name].label, row, name, { latency_ms: row.latency_kind, top1_pct: accuracySource(row) }[name]);
    if (name === "top1_pct" && seedsOf(row)) lines.push(plain(`Seeds: ${seedsOf(row)}`));
  }
  for (const axis of [axisOf[state.x], axisOf[state.y]]) {
    if (axis.group === undefined || axis.group === state.group) continue;
    const other = rowOn(axis, row);
    tell(`Latency in ${wordsOfGroups[axis.group]}`, other, axis.name, other.latency_kind);
  }
  const pair = drawnPair();
  if (pair) lines.push(plain(`Up / across: ${ratioWords(ratioOf(...[pair.a, pair.b].map((group) => rowOn({ group }, row))))}`));
  if (row.top1_kind === "trained" && row.top1_note) lines.push(...broken(`Note: ${row.top1_note}`).map(plain));
  if (row.front_pct !== null) lines.push(`on the front with a probability of ${Math.round(row.front_pct)} &#37;`);
  return lines.join("<br>");
}

// Numbers that have a bar for their 95 % interval.
const BARS = { latency_ms: true, top1_pct: true };

const seeThrough = (colour, alpha) => (colour.startsWith("rgb(") ? colour.replace("rgb(", "rgba(").replace(")", `, ${alpha})`) : colour);

// The 95 % interval as a band under the marker. Many of them would be one.
function bars(points, key, colour) {
  const { name } = axisOf[key];
  const shown = points.map(({ row }) => rowOn(axisOf[key], row));
  if (!(name in BARS) || points.length > WEBGL_ABOVE || !shown.some((row) => interval(row, name))) return undefined;
  const reach = (high) => shown.map((row) => {
    const limit = ends(row, name)?.[Number(high)];
    return limit === undefined ? 0 : Math.max(high ? limit - row[name] : row[name] - limit, 0);
  });
  return { type: "data", symmetric: false, array: reach(true), arrayminus: reach(false), color: seeThrough(colour, 0.35), thickness: 7, width: 0 };
}

// A latency is told of every point, whatever the axes.
const drawsAccuracy = () => [state.x, state.y].some((key) => /^top[15]_/.test(key));
const isPredicted = ({ row }) => row.latency_kind === "predicted" || (drawsAccuracy() && row.top1_kind === "predicted");

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let base = []; // the traces of points: each a list of points
let baseColours = []; // of each; none where a scale tells a point's
let ordered = []; // all of them, as `inOrder` has them
let isWebgl = false;

function scatterFigure() {
  const points = located();
  ordered = inOrder(points);
  if (!points.length) return null;
  isWebgl = points.length > WEBGL_ABOVE && hasWebgl;
  const type = isWebgl ? "scattergl" : "scatter";
  const [byColour, byShape] = [colourScale(), shapeScale()];
  const shape = (point) => byShape.get(point.row[state.shape]) ?? "circle";
  const symbol = (point) => shape(point) + (isPredicted(point) ? "-open" : "");
  base = byColour ? [...byColour.keys(), null].map((value) => points.filter(({ row }) => row[state.colour] === value)) : [points];
  const colourValues = byColour ? [...byColour.values(), "rgb(128, 128, 128)"] : [];
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
      size: isWebgl ? 6 : members.map((point) => SIZE * (AREA[shape(point)] ?? 1)),
      symbol: members.map(symbol),
      color: byColour ? colourValues[place] : members.map(({ row }) => row[state.colour]),
      ...(byColour ? {} : { coloraxis: "coloraxis" }),
      line: { width: isWebgl ? 0 : 0.8, color: tone("--edge") },
    },
    error_x: bars(members, state.x, colourValues[place] ?? "rgb(128, 128, 128)"),
    error_y: bars(members, state.y, colourValues[place] ?? "rgb(128, 128, 128)"),
  }));
  baseColours = colourValues;
  // What a picture that is saved has below it; on the page the legend stands beside the figure.
  const entry = (name, mode, look) => data.push({ type: "scatter", x: [null], y: [null], name, mode, hoverinfo: "skip", ...look });
  const isShown = (name, value) => name !== "family" || !state.off.includes(value);
  for (const [value, color] of byColour ?? []) if (isShown(state.colour, value)) entry(plain(legendWords(state.colour, value)), "markers", { marker: { color, size: 10, line: { width: 0.8, color: tone("--edge") } } });
  for (const [value, shape] of byShape) if (isShown(state.shape, value)) entry(plain(legendWords(state.shape, value)), "markers", { marker: { color: "#777", symbol: shape, size: 10 } });
  if (points.some(isPredicted)) entry("hollow: predicted", "markers", { marker: { color: "#777", symbol: "circle-open", size: 10 } });
  entry(isSample() ? "Pareto front of the sample" : "Pareto front within the budgets", "lines", { line: { color: FRONT_COLOUR, width: 1.5 } });
  if (isLatencyFront()) entry("front not settled (5 to 95 &#37;)", "markers", { marker: { size: 13, symbol: "circle-open", color: UNSETTLED_COLOUR, line: { width: 2 } } });
  data.push(...secondTraces());
  showLegend(points, byColour, byShape, isShown);
  return { data, layout: scatterLayout() };
}

function axisLayout(key, log) {
  const { name, group } = axisOf[key];
  const whose = group ?? (isTwoLatencies() ? state.group : null); // of two latencies each says whose it is
  const label = labelled(columnOf[name]);
  const words = (log ? label.replace(/\)$/, ", log scale)") : label) + (whose === null ? "" : `: ${wordsOfGroups[whose]}`);
  const title = broken(plain(words), narrow.matches ? 36 : 60).join("<br>");
  const lines = { gridcolor: tone("--line"), zerolinecolor: tone("--line"), linecolor: tone("--line"), ticks: "outside", tickcolor: tone("--muted"), minor: payload.minor };
  const look = { title: { text: title, font: { size: 13 } }, automargin: true, ...lines };
  return { ...look, ...(log ? structuredClone(payload.log) : { type: "linear" }) };
}

function scatterLayout() {
  const bar = { title: { text: plain(columnOf[state.colour].label), side: "top" }, orientation: "h", y: 1.02, yanchor: "bottom", len: 0.6, thickness: 10 };
  return {
    ...paperLayout(),
    margin: { l: narrow.matches ? 45 : 55, r: 15, t: 30, b: 54 },
    height: plotHeight(),
    showlegend: false,
    hovermode: "closest",
    dragmode: dragMode(),
    xaxis: axisLayout(state.x, state.logX),
    yaxis: axisLayout(state.y, state.logY),
    coloraxis: { colorscale: payload.colours.map((colour, place, all) => [place / (all.length - 1), colour]), colorbar: bar },
  };
}

// What the first screen has left for it, below the sentence and above the tabs.
function plotHeight() {
  if (narrow.matches) return 330;
  const above = document.querySelector(".explorer").getBoundingClientRect().top + scrollY;
  return Math.min(Math.max(innerHeight - above - 95, 400), 760);
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

// Words in place of a figure: empty axes look like a mistake.
function drawNothing(words) {
  Plotly.purge(plot);
  plot.style.height = "0";
  for (const id of PICTURES) document.getElementById(id).disabled = true;
  remark.textContent = words;
  plot.setAttribute("aria-label", words);
}

async function drawExplorer() {
  const isParallel = state.view === "parallel";
  overlay.replaceChildren();
  underlay.replaceChildren();
  document.getElementById("legend").replaceChildren();
  if (isParallel && !hasWebgl) return drawNothing("Parallel coordinates need WebGL, which this browser does not have.");
  const figure = isParallel ? parallelFigure() : scatterFigure();
  if (!figure) return drawNothing(isParallel ? "No variant within the budgets has a place on every axis." : groupRows().length ? `${nowhere(groupRows().length)}.` : "Its families are switched off.");
  for (const id of PICTURES) document.getElementById(id).disabled = false;
  const { data, layout, wide = 0 } = figure;
  for (const name of ["plotly_click", "plotly_afterplot", "plotly_relayout", "plotly_selected"]) plot.removeAllListeners?.(name);
  Object.assign(plot.style, { height: `${layout.height}px`, minWidth: `${wide}px` });
  await Plotly.react(plot, data, layout, { displaylogo: false, displayModeBar: false });
  if (!isParallel) await chooseTicks(plot);
  placeLegend();
  plot.dataset.drawn = "yes";
  if (isParallel) return;
  updateOverlay();
  plot.on("plotly_afterplot", () => { // a zoom, another size of the window
    chooseTicks(plot);
    drawOverlay();
    if (!isWebgl) fade();
  });
  plot.on("plotly_relayout", showUnzoom);
  plot.on("plotly_selected", boxDrawn);
  showUnzoom();
  plot.on("plotly_click", ({ points: [point] }) => point.customdata && change({ variant: point.customdata }));
}

// A way back from a zoom, while there is one.
const unzoom = document.getElementById("unzoom");
function showUnzoom() {
  const { xaxis, yaxis } = plot._fullLayout;
  unzoom.hidden = state.view === "parallel" || (xaxis.autorange !== false && yaxis.autorange !== false);
}

// -- its controls ---------------------------------------------------------------------------------------

// What the paper draws (its Figures 4 and 5 have accuracy over mult-adds and parameters), and what else is asked most.
const PRESETS = {
  "Accuracy / latency": { view: "scatter", x: "latency_ms", y: "top1_pct", logX: true, logY: false },
  "Accuracy / mult-adds": { view: "scatter", x: "macs", y: "top1_pct", logX: true, logY: false },
  "Accuracy / parameters": { view: "scatter", x: "params", y: "top1_pct", logX: true, logY: false },
  "Latency / mult-adds": { view: "scatter", x: "macs", y: "latency_ms", logX: true, logY: true },
  "Parallel coordinates": { view: "parallel" },
};
// Where nothing but sizes is known.
if (!isKnown("latency_ms") && !isKnown(FLOOR)) PRESETS["Parameters / mult-adds"] = { view: "scatter", x: "macs", y: "params", logX: true, logY: true };

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
  for (const id of ["logX", "logY", "joined"]) {
    const box = document.getElementById(id);
    box.addEventListener("change", () => change({ [id]: box.checked, view: "scatter" }));
  }
  for (const [words, wish] of Object.entries(PRESETS)) {
    if ([wish.x, wish.y].some((key) => key && !axisOf[key])) continue;
    const button = make("button", { type: "button" }, words);
    button.addEventListener("click", () => change(wish));
    document.getElementById("presets").insertBefore(button, document.getElementById("any"));
  }
  for (const format of ["png", "svg"]) {
    document.getElementById(`explorer-${format}`).addEventListener("click", () => {
      if (state.view === "scatter") savePicture(plot, format, "explorer", { data: fadedData(plot.data), layout: overlayLayout(), more: 90 });
      else savePicture(plot, format, "explorer");
    });
  }
  unzoom.addEventListener("click", () => Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true }));
  document.querySelector(".explorer").addEventListener("keydown", alongFront);
  new ResizeObserver(() => plot.data && refit(plot)).observe(plot);
  narrow.addEventListener("change", drawExplorer);
  onChange((changed) => {
    const has = (...names) => names.some((name) => changed.has(name));
    if (has("group", "off", "view", "x", "y", "logX", "logY", "colour", "shape", "theme")) showExplorer();
    else if (has("limits", "floor", "by", "variant", "joined")) state.view === "parallel" ? soonParallel() : soon(updateOverlay);
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
  for (const id of ["logX", "logY", "joined"]) document.getElementById(id).checked = state[id];
  document.getElementById("joined").parentElement.hidden = state.view === "parallel" || !drawsAccuracy() || originsOf(groupRows()).length < 2;
  for (const button of document.querySelectorAll("#presets button")) {
    const isOn = Object.entries(PRESETS[button.textContent]).every(([name, value]) => state[name] === value);
    button.setAttribute("aria-pressed", isOn);
  }
  document.getElementById("any").hidden = state.view === "parallel";
  drawExplorer();
}
