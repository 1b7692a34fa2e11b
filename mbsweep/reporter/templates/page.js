"use strict";

for (const element of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(element.nextElementSibling.textContent);
  Plotly.newPlot(element, figure.data, figure.layout, { responsive: true, displaylogo: false });
}

const { columns, rows } = JSON.parse(document.getElementById("table-data").textContent);
const PAGE = 100; // rows added at a time: ten thousand at once would stall the browser
const head = document.querySelector("#table thead");
const body = document.querySelector("#table tbody");
const filter = document.getElementById("filter");
const more = document.getElementById("more");
const count = document.getElementById("count");
const isNumber = columns.map((_, c) => rows.every((row) => row[c] === null || typeof row[c] === "number"));
const frontColumn = columns.findIndex((column) => column.name === "on_front");
let sorted = { column: -1, ascending: true };
let visible = rows;
let shown = 0;

function written(value) {
  if (value === null) return "unknown";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (typeof value === "number") return value.toPrecision(4).replace(/\.?0+$/, "");
  return value;
}

function addRows() {
  for (const row of visible.slice(shown, shown + PAGE)) {
    const line = body.insertRow();
    if (row[frontColumn] === true) line.className = "front";
    row.forEach((value, c) => {
      const cell = line.insertCell();
      // An empty error is good news, every other gap is a number nobody knows.
      cell.textContent = value === null && columns[c].name === "error" ? "" : written(value);
      cell.className = isNumber[c] ? "number" : "text";
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
  const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
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
