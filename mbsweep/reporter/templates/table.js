// The table: sorted, filtered, a part of it at a time; its rows open the details.

const BLANK = new Set(["error", "latency_note", "config", "run", "top1_note", "top1_seeds", "top1_epochs", "top1_sd_pct"]); // a published row is of no configuration and no seed
const PAGE = 100; // rows added at a time: ten thousand at once would stall the browser
const FEW_COLUMNS = ["variant", "run", "family", "latency_ms", "top1_pct", "macs", "params", "front_pct", "backend", "precision", "device"];
let shownColumns = [];
const head = document.querySelector("#table thead");
const body = document.querySelector("#table tbody");
const filter = document.getElementById("filter");
const more = document.getElementById("more");
const count = document.getElementById("count");
const sortKeys = new Map(); // text -> the same with its numbers padded: 96 comes before 128, and 0.25 before 0.5
let visible = rows;
let shownRows = 0;

function sortKey(text) {
  if (!sortKeys.has(text)) {
    sortKeys.set(text, text.toLowerCase().replace(/\d+(\.\d+)?/g, (n) => Number(n).toFixed(6).padStart(20, "0")));
  }
  return sortKeys.get(text);
}

function addRows() {
  for (const row of visible.slice(shownRows, shownRows + PAGE)) {
    const line = body.insertRow();
    line.classList.toggle("front", row.on_front === true);
    line.classList.toggle("chosen", row.variant === state.variant);
    line.classList.toggle("beyond", isAsked() && !fits(row, state));
    line.dataset.variant = row.variant;
    for (const { name, field } of shownColumns) {
      const value = row[name];
      const cell = line.insertCell();
      // No error and nothing to note is good news, and a family need not have a field; every other gap is a number nobody knows.
      if (name === "variant") cell.append(variantButton(row, value));
      else cell.textContent = value === null && (BLANK.has(name) || field) ? "" : written(value);
      cell.className = isNumeric[name] ? "number" : "text";
      if (cell.textContent === UNKNOWN) cell.classList.add("unknown");
      if (typeof value === "string") cell.title = value;
    }
  }
  shownRows = Math.min(shownRows + PAGE, visible.length);
  more.hidden = shownRows >= visible.length;
  const sample = payload.total > rows.length ? `, a sample of ${payload.total.toLocaleString("en")}` : "";
  count.textContent = `${shownRows.toLocaleString("en")} of ${visible.length.toLocaleString("en")} rows${sample}`;
}

// By state.sort: the name of a column, behind a "-" where the largest comes first.
const sortedBy = () => ({ name: state.sort?.replace("-", ""), ascending: !state.sort?.startsWith("-") });

function comparing({ name, ascending }) {
  return (a, b) => {
    const [x, y] = [a[name], b[name]];
    if (x === null || y === null) return (x === null) - (y === null); // the unknown last, in both directions
    const [i, j] = typeof x === "string" ? [sortKey(x), sortKey(y)] : [x, y];
    const order = (i > j) - (i < j);
    return ascending ? order : -order;
  };
}

function showTable() {
  showColumns();
  // Each word must be somewhere: in a text of the row, or in its short name, as the cards have it.
  const wanted = state.filter.trim().toLowerCase().split(/\s+/);
  const textsOf = (row) => [short(row), ...columns.map(({ name, shown }) => shown && row[name])].filter((value) => typeof value === "string").join("\n").toLowerCase();
  const matches = (text) => wanted.every((word) => text.includes(word));
  visible = rows.filter((row) => isOn(row) && isSelected(row) && (!state.filter.trim() || matches(textsOf(row))));
  const isIn = fitsWithin(state);
  if (state.sort) visible.sort(comparing(sortedBy()));
  else if (isAsked()) visible = [...visible.filter(isIn), ...visible.filter((row) => !isIn(row))]; // what fits comes first
  const { name: chosen, ascending } = sortedBy();
  head.querySelectorAll("th").forEach((cell, place) => {
    const direction = ascending ? "ascending" : "descending";
    cell.setAttribute("aria-sort", shownColumns[place].name === chosen ? direction : "none");
  });
  body.replaceChildren();
  shownRows = 0;
  addRows();
}

// RFC 4180; all columns, numbers as they are.
function asCsv(chosen) {
  const names = Object.keys(payload.rows);
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const line = (row) => names.map((name) => cell(row[name] === null ? "" : String(row[name]))).join(",");
  return [names.join(","), ...chosen.map(line)].join("\r\n") + "\r\n";
}

// Those that matter, or all; the heads sort by them.
function showColumns() {
  document.getElementById("wide").checked = state.wide;
  const all = columns.filter(({ shown }) => shown);
  const wanted = state.wide ? all : FEW_COLUMNS.map((name) => all.find((column) => column.name === name)).filter(Boolean).filter(({ name }, place) => place < 8 && (!["backend", "precision", "device"].includes(name) || distinct(name).length > 1));
  if (wanted.length === shownColumns.length && wanted.every(({ name }, place) => name === shownColumns[place].name)) return;
  shownColumns = wanted;
  head.replaceChildren();
  const line = head.insertRow();
  for (const { name, label, unit } of shownColumns) {
    const button = make("button", { type: "button" }, unit ? `${label} (${unit})` : label);
    button.addEventListener("click", () => change({ sort: state.sort === name ? `-${name}` : name }));
    line.append(make("th", { className: isNumeric[name] ? "number" : "text", scope: "col" }, button));
  }
}

// Behind a slider that moves: to fill the table takes longer than its next move.
let isTableDue = 0;
function soonTable() {
  clearTimeout(isTableDue);
  isTableDue = setTimeout(showTable, 150);
}

function setUpTable() {
  const wide = document.getElementById("wide");
  wide.addEventListener("change", () => change({ wide: wide.checked }));
  filter.addEventListener("input", () => change({ filter: filter.value }));
  more.addEventListener("click", addRows);
  document.getElementById("csv").addEventListener("click", () => {
    download(`${document.title}.csv`, new Blob([asCsv(visible)], { type: "text/csv" }));
  });
  onChange((changed) => {
    if (changed.has("filter") && filter.value !== state.filter) filter.value = state.filter; // another address
    if (["filter", "sort", "off", "wide"].some((name) => changed.has(name))) showTable();
    else if (["limits", "floor"].some((name) => changed.has(name))) soonTable();
    if (!changed.has("variant")) return;
    for (const row of body.rows) row.classList.toggle("chosen", row.dataset.variant === state.variant);
  });
}
