// Everything that is known of one variant, beside the page.

const drawer = document.getElementById("details");
const drawerBody = document.getElementById("details-body");
let cameFrom = null; // who has the focus back when it is closed

const EXACT = new Set(["params", "macs", "weight_bytes", "peak_activation_bytes", "weight_bytes_int8", "peak_activation_bytes_int8"]);
const PARTS_OF_ANOTHER = /_(low|high)_(ms|pct)$/; // ends of intervals stand beside their number

function kindOf(row, name) {
  if (EXACT.has(name)) return payload.families[row.family].isCode ? "of the built network; mult-adds by fvcore" : "exact, from the layer shapes";
  if (name.startsWith("latency_") && name !== "latency_kind") return `${row.latency_kind}, ${row.backend}`;
  if (name === "top1_pct" || name === "top5_pct") return accuracySource(row);
  if (name === "top1_drop_pct") return `in ${row.backend}, paired: on the same images`;
  if (name === "top1_sd_pct") return `over the seeds ${row.top1_seeds}`;
  if (name === "top1_epochs") return row.top1_kind;
  if (name === "file_bytes") return "measured on disk";
  if (name === "front_pct") {
    const drawn = [row.latency_ms !== null && "latencies", row.top1_low_pct !== null && "accuracies"].filter(Boolean);
    return drawn.length ? `from ${drawn.join(" and ")} drawn anew` : "exact";
  }
  return "";
}

function numbersOf(row) {
  const body = make("tbody");
  for (const { name, label, field } of columns) {
    if (!(isNumeric[name] || field) || row[name] === null || PARTS_OF_ANOTHER.test(name)) continue;
    if (field && /_\d+$/.test(name)) continue; // of one stage: the list of all has it
    const value = make("td", { className: "number" }, quantity(name, row[name]));
    if (interval(row, name)) value.append(make("div", { className: "muted" }, `95 %: ${interval(row, name)}`));
    body.append(make("tr", {}, make("th", { scope: "row" }, label), value, make("td", { className: "muted" }, kindOf(row, name))));
  }
  const heads = ["Number", "Value", "Kind and source"].map((head) => make("th", { scope: "col" }, head));
  const table = make("table", { className: "wrap" }, make("thead", {}, make("tr", {}, ...heads)), body);
  return scrollable(table, `Numbers of ${row.variant}`);
}

// A region that scrolls must be reachable by keyboard.
function scrollable(table, words) {
  const box = make("div", { className: "scroll", tabIndex: 0 }, table);
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", words);
  return box;
}

// The same variant in every group, and how it is there against the chosen one.
function latenciesOf(variant) {
  const list = make("ul");
  const inGroup = (number) => rowOn({ group: number }, { variant });
  groups.forEach(({ words: setting, device }, number) => {
    const row = inGroup(number);
    if (!row || (row.latency_ms === null && row.error === null)) return;
    const words = row.latency_ms === null ? row.error : `${quantity("latency_ms", row.latency_ms)}${interval(row) ? ` (95 %: ${interval(row)})` : ""}`;
    const item = make("li", {}, make("b", {}, `${setting}: `), words, make("div", { className: "muted" }, device));
    const ratio = number === state.group ? null : ratioOf(inGroup(state.group), row);
    if (ratio) item.append(make("div", { className: "muted" }, `Against the chosen configuration: ${ratioWords(ratio)}`));
    if (row.latency_note) item.append(make("div", { className: "muted" }, row.latency_note));
    list.append(item);
  });
  return list;
}

function layersOf(row) {
  const places = payload.layers.of[row.variant];
  if (payload.families[row.family].isCode) return make("p", { className: "muted" }, `${row.family} is code of the user's own: mbsweep does not know its layers.`);
  if (!places) return make("p", { className: "muted" }, "Too many variants for their layers to be in this page: the command below prints them.");
  const heads = ["Layer", "Type / stride", "Output", "Parameters", "%", "Mult-adds", "%"];
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))));
  const body = table.createTBody();
  const share = (part, whole) => ((100 * part) / whole).toFixed(1);
  const names = payload.layers.names[payload.layers.named[row.variant]];
  places.forEach((place, number) => {
    const [type, , outputs, , outSize, params, macs] = payload.layers.shapes[place];
    const line = body.insertRow();
    for (const cell of [names[number], type, `${outSize} x ${outSize} x ${outputs}`]) line.append(make("td", {}, cell));
    for (const [part, whole] of [[params, row.params], [macs, row.macs]]) {
      line.append(make("td", { className: "number" }, written(part)));
      const bar = make("td", { className: "number share" }, share(part, whole));
      bar.style.setProperty("--share", `${(100 * part) / whole}%`);
      line.append(bar);
    }
  });
  return scrollable(table, `Layers of ${row.variant}`);
}

// Each visit of the measurement: fastest, median and slowest call.
function drawVisits(element, visits) {
  const numbers = visits.map((_, place) => place + 1);
  const [fastest, middle, slowest] = [0, 1, 2].map((which) => visits.map((visit) => visit[which]));
  const trace = (name, y, look) => ({ type: "scatter", x: numbers, y, name, ...look });
  const data = [
    trace("slowest call", slowest, { mode: "markers", marker: { symbol: "line-ew-open", color: tone("--muted"), size: 8 } }),
    trace("median", middle, { mode: "markers", marker: { symbol: "circle", color: payload.colours[12], size: 6 } }),
    trace("fastest", fastest, { mode: "lines+markers", line: { color: payload.colours[4] }, marker: { symbol: "diamond", color: payload.colours[4], size: 6 } }),
  ];
  const axis = { gridcolor: tone("--line"), zeroline: false, automargin: true };
  const layout = { ...paperLayout(), height: 280, xaxis: { ...axis, title: { text: "visit" } }, yaxis: { ...axis, title: { text: "ms, as timed" }, rangemode: "normal" } };
  Object.assign(layout, { legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom" }, margin: { l: 50, r: 10, t: 10, b: 40 } });
  Plotly.newPlot(element, data, layout, { responsive: true, displayModeBar: false });
}

// A value in YAML's flow style.
function flow(value) {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (value !== null && typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${name}: ${flow(one)}`).join(", ")}}`;
  if (typeof value === "string") return PLAIN.test(value) && !RESERVED.test(value) ? value : JSON.stringify(value);
  return String(value).replace(/^(-?\d+)e/, "$1.0e"); // YAML takes 1e-7 for a word
}
const PLAIN = /^[A-Za-z][\w./-]*$/;
const RESERVED = /^(true|false|yes|no|on|off|null|y|n)$/i;

// What of a variant is not as usual, as (name, value).
function settingsOf(row) {
  if (payload.families[row.family].isCode) {
    return [["family", row.family], ["input", [3, row.resolution, row.resolution]], ...Object.entries(JSON.parse(row.arguments))];
  }
  const names = Object.keys(payload.families[row.family].defaults);
  const said = ["width", "resolution", ...unusual(row)];
  const own = names.filter((name) => said.includes(name)).map((name) => [name, valueOf(row, name)]);
  return row.family === "mobilenet_v1" ? own : [["family", row.family], ...own];
}

// What is asked for of a latency that is predicted only, because one network alone is measured.
const OF_PREDICTION = ["kind", "rounds", "visit_ms", "max_blocks", "networks"];

function sweepOf(...some) {
  const { latency, accuracy } = groups[some[0].group];
  const lines = ["variants:", ...some.map((row) => `  - ${flow(Object.fromEntries(settingsOf(row)))}`)];
  if (latency?.kind === "predicted") {
    if (some.length === 1) lines.push("# Predicted from others of its sweep, whose file stands under How it was measured; alone it is measured.");
    lines.push("latency:", `  - ${flow(Object.fromEntries(Object.entries(latency).filter(([name]) => !OF_PREDICTION.includes(name))))}`);
  } else if (latency) lines.push("latency:", `  - ${flow(latency)}`);
  if (accuracy?.source === "supernet") lines.push("# A supernet depends on all variants of its sweep, whose file stands under How it was measured.");
  if (accuracy && Object.keys(accuracy).length > 2) {
    lines.push("accuracy:", ...Object.entries(accuracy).map(([name, value]) => `  ${name}: ${flow(value)}`));
  } else if (accuracy) lines.push(`accuracy: ${flow(accuracy)}`);
  return lines.join("\n");
}

// A word as a POSIX shell takes it.
const shellWord = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? String(word) : `'${String(word).replaceAll("'", `'"'"'`)}'`);

function commandOf(verb, row, ...rest) {
  const isCode = payload.families[row.family].isCode;
  const inWords = (name, value) => (isCode && name !== "input" ? JSON.stringify(value) : value.join(","));
  const said = settingsOf(row).map(([name, value]) => [name, Array.isArray(value) ? inWords(name, value) : value]);
  const asOption = ([name, value]) => [`--${name.replaceAll("_", "-")}`, value];
  const asWord = ([name, value]) => (name === "family" ? [value] : [`${name}=${value}`]);
  const options = said.flatMap(row.family === "mobilenet_v1" ? asOption : asWord);
  return ["mbsweep", verb, ...options, ...rest, ...(isCode ? ["--allow-code"] : [])].map(shellWord).join(" ");
}

// What writes the network that the run has trained: of its best seed, for the runtime of the row.
function trainedCommand(row) {
  const { run, options, ending } = groups[row.group].export;
  const isCode = payload.families[row.family].isCode;
  const words = ["mbsweep", "export", run, row.variant, ...options, "-o", `${row.variant}${ending}`];
  return [...words, ...(isCode ? ["--allow-code"] : [])].map(shellWord).join(" ");
}

async function copy(button, text) {
  let words = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    words = copyByHand(text) ? words : "Select and copy by hand";
  }
  const before = (button.dataset.words ??= button.textContent); // a second click comes while it says "Copied"
  button.textContent = words;
  setTimeout(() => { button.textContent = before; }, 1500);
}

// Browsers have no clipboard for a page that was opened from a file, but this.
function copyByHand(text) {
  const focused = document.activeElement;
  const area = make("textarea", { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}

function snippet(title, text) {
  const button = make("button", { type: "button" }, "Copy");
  button.setAttribute("aria-label", `Copy: ${title}`);
  button.addEventListener("click", () => copy(button, text));
  return make("div", { className: "snippet" }, make("h4", {}, title), make("pre", { tabIndex: 0 }, text), button);
}

function showDetails() {
  const row = groups[state.group].rows.find((other) => other.variant === state.variant) ?? rows.find((other) => other.variant === state.variant);
  document.body.classList.toggle("has-details", Boolean(row));
  drawer.hidden = !row;
  drawerBody.replaceChildren();
  if (!row) return;
  document.getElementById("details-title").textContent = row.variant;
  const where = row.latency_kind === null ? groups[row.group].words : `${groups[row.group].words}; ${groups[row.group].device}`;
  drawerBody.append(make("p", { className: "muted" }, where));
  if (row.error) drawerBody.append(make("p", { className: "warning" }, row.error));
  if (row.counts_note) drawerBody.append(make("p", { className: "warning" }, row.counts_note));
  if (row.latency_note) drawerBody.append(make("p", { className: "warning" }, `Latency: ${row.latency_note}`));
  if (row.top1_note) drawerBody.append(make("p", { className: row.top1_kind === "trained" ? "warning" : "muted" }, `Accuracy: ${row.top1_note}`));
  if (row.top1_reason) drawerBody.append(make("p", { className: row.top1_kind === "trained" ? "warning" : "muted" }, `No accuracy: ${row.top1_reason}`));
  drawerBody.append(numbersOf(row));
  const visits = payload.visits[row.place];
  if (visits) {
    const figure = make("div", { id: "visits" });
    figure.setAttribute("role", "img");
    figure.setAttribute("aria-label", `Calls of ${row.variant} in each of ${visits.length} visits`);
    drawerBody.append(make("h3", {}, "The calls of each visit"), figure);
    drawVisits(figure, visits);
  }
  if (groups.length > 1) drawerBody.append(make("h3", {}, "Latency everywhere"), latenciesOf(row.variant));
  drawerBody.append(make("h3", {}, "Layers"), layersOf(row), make("h3", {}, "Take it further"));
  drawerBody.append(snippet("Sweep file that reproduces it", sweepOf(row)));
  const isTrained = ["trained", "supernet"].includes(row.top1_kind) && row.top1_pct !== null; // else there are none
  const exported = snippet("Export it with random weights", commandOf("export", row, "-o", `${row.variant}.onnx`));
  exported.append(make("p", { className: "muted" }, "The file is right for latency, not for accuracy."));
  drawerBody.append(snippet(payload.families[row.family].isCode ? "Count it" : "Show its layers", commandOf("show", row)));
  drawerBody.append(isTrained && groups[row.group].export ? snippet("Export it as it was trained", trainedCommand(row)) : exported);
}

const MAY_BE_ON_FRONT = 5; // percent
const WORTH = 24; // networks in one sweep

// Of latencies that are predicted: those within the budgets that may be on the front, and a sweep that measures them.
function showWorth() {
  const box = document.getElementById("worth");
  const able = groupRows().filter((row) => row.latency_kind === "predicted" && row.front_pct > MAY_BE_ON_FRONT && fits(row, state));
  box.hidden = !able.length;
  if (box.hidden) return;
  const found = able.sort((a, b) => b.front_pct - a.front_pct).slice(0, WORTH).sort((a, b) => a.latency_ms - b.latency_ms);
  const names = found.flatMap((row, place) => [place ? ", " : "", variantButton(row)]);
  const many = able.length > WORTH ? `the likeliest ${WORTH} of ${able.length.toLocaleString("en")}` : `${found.length}`;
  const words = `Within the budgets ${many} may be on the front (with more than ${MAY_BE_ON_FRONT} %): `;
  const asked = document.getElementById("worth-asked");
  asked.replaceChildren(make("p", {}, words, ...names, "."), snippet("Sweep file that measures them", sweepOf(...found)));
}

function setUpDetails() {
  const close = () => change({ variant: null });
  document.getElementById("details-close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => event.key === "Escape" && state.variant !== null && close());
  onChange((changed) => {
    if (!["variant", "group", "theme"].some((name) => changed.has(name))) return;
    if (changed.has("variant") && state.variant !== null && !drawer.contains(document.activeElement)) cameFrom = document.activeElement;
    showDetails();
    if (!changed.has("variant")) return;
    if (state.variant !== null) document.getElementById("details-title").focus();
    else if (cameFrom?.isConnected) cameFrom.focus();
  });
}
