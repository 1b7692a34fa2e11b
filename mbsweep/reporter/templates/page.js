"use strict";

const narrow = matchMedia("(max-width: 700px)");
const middling = matchMedia("(max-width: 1100px)"); // too narrow for three panels in a row
const hasWebgl = document.createElement("canvas").getContext("webgl") !== null;

const panelsOf = (layout) => Object.keys(layout).filter((name) => name.startsWith("xaxis") && layout[name].title);

// Move the panels of a figure into so many columns.
function arrange(layout, columns, height) {
  const GAP = 0.1; // of the width, between two columns
  const panels = panelsOf(layout); // no empty cell
  const lines = (layout.annotations ?? []).map((title) => title.text.split("<br>").length);
  const slot = height + 65 + Math.max(60, ...lines.map((n) => 18 * n)); // an axis below, the next panel's title
  const rows = Math.ceil(panels.length / columns);
  const inner = slot * rows;
  const width = (1 - GAP * (columns - 1)) / columns;
  panels.forEach((name, place) => {
    const top = 1 - Math.floor(place / columns) / rows;
    const left = (place % columns) * (width + GAP);
    layout[name].domain = [left, left + width];
    layout[name.replace("x", "y")].domain = [top - height / inner, top];
    const title = layout.annotations?.[place];
    if (title) Object.assign(title, { x: left, xanchor: "left", align: "left", y: top });
  });
  layout.height = layout.margin.t + inner + layout.margin.b;
  return { inner, below: slot - height };
}

// A copy of a figure for a window that is too narrow for three columns.
function paired({ data, layout }) {
  const slim = structuredClone(layout);
  const { inner, below } = arrange(slim, 2, 290);
  slim.legend.y = (below - 80) / inner;
  return { data, layout: slim };
}

// A copy of a figure for a narrow window: one panel under the other, the colour bar below them.
function stacked({ data, layout }) {
  const slim = structuredClone(layout);
  slim.margin = { ...slim.margin, l: 45, r: 10, b: 80 };
  const { inner, below } = arrange(slim, 1, 280);
  for (const title of slim.annotations ?? []) title.font.size = 11;
  const hasBar = data.some((trace) => trace.marker?.coloraxis);
  slim.font.size = 11;
  slim.hoverlabel.font.size = 10;
  const free = (below - 65) / inner; // below the last axis
  slim.legend.y = hasBar ? -10 / inner : free;
  const bar = { orientation: "h", x: 0.5, xanchor: "center", y: free, yanchor: "top", len: 0.9, lenmode: "fraction" };
  Object.assign(slim.coloraxis.colorbar, bar, { title: { text: "Width", side: "top" } });
  return { data, layout: slim };
}

// Plotly writes out the labels of a log axis only where it spans less than a decade; else ours are better.
function chooseTicks(element) {
  const changes = {};
  for (const [name, axis] of Object.entries(element.layout)) {
    if (!axis?.tickvals) continue;
    const mode = Math.abs(axis.range[1] - axis.range[0]) < 1 ? "auto" : "array";
    if (mode !== (axis.tickmode ?? "array")) changes[`${name}.tickmode`] = mode;
  }
  if (Object.keys(changes).length) Plotly.relayout(element, changes);
}

for (const element of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(element.nextElementSibling.textContent);
  if (!hasWebgl) {
    for (const trace of figure.data) if (trace.type === "scattergl") trace.type = "scatter"; // slower, but there
  }
  const draw = async () => {
    const many = new Set(panelsOf(figure.layout).map((name) => figure.layout[name].domain[0])).size > 2;
    const suited = narrow.matches ? stacked : many && middling.matches ? paired : structuredClone;
    const { data, layout } = suited(figure);
    element.style.height = `${layout.height}px`;
    Plotly.purge(element); // else an upright colour bar stays behind a lying one
    await Plotly.newPlot(element, data, layout, { responsive: true, displaylogo: false });
    chooseTicks(element);
    element.on("plotly_relayout", () => chooseTicks(element));
  };
  draw();
  narrow.addEventListener("change", draw);
  middling.addEventListener("change", draw);
}

const { columns, rows } = JSON.parse(document.getElementById("table-data").textContent);
const BLANK = new Set(["error", "latency_note", "config", "run"]); // a published row is of no configuration
const PAGE = 100; // rows added at a time: ten thousand at once would stall the browser
const head = document.querySelector("#table thead");
const body = document.querySelector("#table tbody");
const filter = document.getElementById("filter");
const more = document.getElementById("more");
const count = document.getElementById("count");
const isNumber = columns.map((_, c) => rows.every((row) => row[c] === null || typeof row[c] === "number"));
const frontColumn = columns.findIndex((column) => column.name === "on_front");
const sortKeys = new Map(); // text -> the same with its numbers padded: 96 comes before 128, and 0.25 before 0.5
let sorted = { column: -1, ascending: true };
let visible = rows;
let shown = 0;

function written(value) {
  if (value === null) return "unknown";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (typeof value === "number") return value.toLocaleString("en", { maximumSignificantDigits: 4 });
  return value;
}

function sortKey(text) {
  if (!sortKeys.has(text)) {
    sortKeys.set(text, text.toLowerCase().replace(/\d+(\.\d+)?/g, (n) => Number(n).toFixed(6).padStart(20, "0")));
  }
  return sortKeys.get(text);
}

function addRows() {
  for (const row of visible.slice(shown, shown + PAGE)) {
    const line = body.insertRow();
    if (row[frontColumn] === true) line.className = "front";
    row.forEach((value, c) => {
      const cell = line.insertCell();
      // No error and nothing to note is good news, every other gap is a number nobody knows.
      cell.textContent = value === null && BLANK.has(columns[c].name) ? "" : written(value);
      cell.className = isNumber[c] ? "number" : "text";
      if (cell.textContent === "unknown") cell.classList.add("unknown");
      if (typeof value === "string") cell.title = value;
    });
  }
  shown = Math.min(shown + PAGE, visible.length);
  more.hidden = shown >= visible.length;
  count.textContent = `${shown.toLocaleString("en")} of ${visible.length.toLocaleString("en")} rows`;
}

function compare(a, b) {
  const [x, y] = [a[sorted.column], b[sorted.column]];
  if (x === null || y === null) return (x === null) - (y === null); // the unknown last, in both directions
  const [i, j] = typeof x === "string" ? [sortKey(x), sortKey(y)] : [x, y];
  const order = (i > j) - (i < j);
  return sorted.ascending ? order : -order;
}

function refresh() {
  const wanted = filter.value.trim().toLowerCase();
  visible = rows.filter((row) => row.some((value) => typeof value === "string" && value.toLowerCase().includes(wanted)));
  if (sorted.column >= 0) visible.sort(compare);
  head.querySelectorAll("th").forEach((cell, c) => {
    const direction = sorted.ascending ? "ascending" : "descending";
    cell.setAttribute("aria-sort", c === sorted.column ? direction : "none");
  });
  body.replaceChildren();
  shown = 0;
  addRows();
}

const line = head.insertRow();
columns.forEach((column, c) => {
  const cell = document.createElement("th");
  const button = document.createElement("button");
  button.textContent = column.unit ? `${column.label} (${column.unit})` : column.label;
  button.addEventListener("click", () => {
    sorted = { column: c, ascending: sorted.column === c ? !sorted.ascending : true };
    refresh();
  });
  cell.className = isNumber[c] ? "number" : "text";
  cell.append(button);
  line.append(cell);
});
filter.addEventListener("input", refresh);
more.addEventListener("click", addRows);
refresh();
