// The rows of the page and how their numbers are written.

const narrow = matchMedia("(max-width: 700px)");

const payload = JSON.parse(document.getElementById("data").textContent);
const columns = payload.columns;
const columnOf = Object.fromEntries(columns.map((column) => [column.name, column]));
const rows = payload.group.map((group, place) => ({ place, group }));
function unpacked(given, place) {
  const at = given?.texts ? given.at : given;
  const value = Array.isArray(at) ? at[place] : at; // one value stands for all rows
  return given?.texts && value !== null ? given.texts[value] : value;
}
for (const [name, given] of Object.entries(payload.rows)) rows.forEach((row, place) => { row[name] = unpacked(given, place); });
// Why a number of a row is not to be relied on; nothing where it is.
const cautionOf = (row, name) => (name in payload.cautions ? unpacked(payload.cautions[name], row.place) : null);
const groups = payload.groups.map(({ shared, ...group }, number) => {
  const also = new Set(shared); // what has no latency stands with each device of its configuration
  return { ...group, rows: rows.filter((row) => row.group === number || also.has(row.place)) };
});
for (const group of groups) {
  const isUnique = groups.filter((other) => other.words === group.words).length === 1;
  group.key = isUnique ? group.words : `${group.words}, ${group.device}`;
}
const isNumeric = Object.fromEntries(
  columns.map(({ name }) => [name, rows.every((row) => row[name] === null || typeof row[name] === "number")]),
);
// Colour and marker tell what networks differ in; a family may have no width.
const FIRST_TOLD = ["width", "resolution", "depth", "block", "kernel", "stage_channels", "family"];
const differsIn = (name) => columnOf[name] && new Set(rows.map((row) => row[name])).size > 1;
const tells = (name) => differsIn(name) && !(name === "depth" && differsIn("stage_depths")); // of which depth is one
const [usualColour = columnOf.width ? "width" : "resolution", usualShape = "resolution"] = FIRST_TOLD.filter(tells);
const UNKNOWN = "unknown";

// Made once: to make one takes longer than to use it.
const whole = new Intl.NumberFormat("en");
const significant = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

function written(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Number.isInteger(value)) return whole.format(value);
  if (typeof value === "number") return significant.format(value);
  return value;
}

// `5.32 ms`, `568.7 million`: a number as a reader wants it, with its unit.
function quantity(name, value) {
  if (typeof value !== "number") return written(value);
  const { scale, scaled_unit: unit } = columnOf[name];
  if (unit === "%") return `${value.toFixed(1)} %`;
  return unit ? `${written(value / scale)} ${unit}` : written(value);
}

// The ends of a number's 95 % interval: of latency_ms those of latency_low_ms and latency_high_ms; null: unknown.
function ends(row, name) {
  const found = ["low", "high"].map((end) => row[name.replace(/_(ms|pct)$/, `_${end}_$1`)]);
  return /_(ms|pct)$/.test(name) && found.every((end) => typeof end === "number") ? found : null;
}

// `5.29 to 5.36 ms`, `93.1 to 99.0 %`; nothing where no interval is known.
function interval(row, name = "latency_ms") {
  const [low, high] = ends(row, name) ?? [];
  if (low === undefined) return "";
  return columnOf[name].unit === "%" ? `${low.toFixed(1)} to ${high.toFixed(1)} %` : `${written(low)} to ${written(high)} ms`;
}

// `published, tf-slim-2018-08-02`; sources of other kinds say theirs.
const accuracySource = ({ top1_kind: kind, top1_source: source }) => (kind === "published" ? `${kind}, ${source}` : source);

// What makes two accuracies comparable, and those of some rows whose accuracy is known.
const originOf = (row) => (row.origin ??= JSON.stringify([row.top1_kind, row.top1_source, row.dataset])); // once: a slider asks of all rows
const originsOf = (some) => [...new Set(some.filter(({ top1_pct: known }) => known !== null).map(originOf))];

// `0, 1; standard deviation 0.34 %` of a trained accuracy.
function seedsOf(row) {
  if (row.top1_seeds === null) return "";
  return row.top1_sd_pct === null ? row.top1_seeds : `${row.top1_seeds}; standard deviation ${row.top1_sd_pct.toFixed(2)} %`;
}

const labelled = ({ label, scaled_unit: unit }) => (unit ? `${label} (${unit})` : label);

// The id without what all networks of a page have in common: `0.75-192`, and what else is special.
const fields = [...new Set(Object.values(payload.families).flatMap(({ defaults }) => Object.keys(defaults)))];
const differing = fields.filter((name) => !["width", "resolution"].includes(name) && rows.some((row) => row[name] !== rows[0][name]));
const families = Object.keys(payload.families);

// A field of a network, as a sweep says it. What no network of the page has otherwise is as usual.
function valueOf(row, name) {
  const usual = payload.families[row.family].defaults[name];
  const value = row[name] ?? usual;
  return Array.isArray(usual) && typeof value === "string" ? JSON.parse(value) : value;
}

const isUsual = (row, name) => `${valueOf(row, name)}` === `${payload.families[row.family].defaults[name]}`;

// What of a network is not as usual; where depths are said stage by stage, depth is one of these.
function unusual(row) {
  const own = Object.keys(payload.families[row.family].defaults).filter((name) => !isUsual(row, name));
  return own.filter((name) => name !== "depth" || !own.includes("stage_depths"));
}

function short(row) {
  if (payload.families[row.family].isCode) return row.variant;
  const own = unusual(row).filter((name) => differing.includes(name));
  const words = own.map((name) => `${name.replaceAll("_", " ")} ${[valueOf(row, name)].flat().join("-")}`);
  const family = families.length > 1 ? `${row.family} ` : "";
  const width = Number.isFinite(row.width) ? `${Number(row.width.toPrecision(7))}-` : ""; // a family may have none
  return [`${family}${width}${row.resolution}`, ...words].join(", ");
}

// Words as plotly shows them: neither its markup nor its %{templates} are read in them.
function plain(words) {
  return String(words).replace(/[&<>%]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

// An element with text or children; `make("td", { className: "number" }, "5")`.
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function download(name, content) {
  const link = make("a", { download: name, href: content instanceof Blob ? URL.createObjectURL(content) : content });
  link.click();
  if (content instanceof Blob) setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
