// What the reader has chosen. It stands in the page's address, so that a link opens the same view.

const COSTS = ["latency_ms", "macs", "params", "weight_bytes", "peak_activation_bytes"];
const FLOOR = "top1_pct";
const isKnown = (name) => rows.some((row) => row[name] !== null);
const costs = COSTS.filter(isKnown);

// The first group of a run that has latencies, best of variants whose accuracy is known; published devices stand behind
// the runs.
const knows = (group, ...names) => group.rows.some((row) => names.every((name) => row[name] !== null));
const ownGroups = groups.filter(({ isOwn }) => isOwn);
const firstGroup =
  ownGroups.find((group) => knows(group, "latency_ms", FLOOR)) ?? ownGroups.find((group) => knows(group, "latency_ms")) ?? groups[0];
const hasAccuracy = knows(firstGroup, FLOOR);
// What the first figure draws: accuracy where it is known of many, else what it costs, so that all have a place.
const firstAxes = () => {
  const x = knows(firstGroup, "latency_ms") ? "latency_ms" : "macs";
  const placed = firstGroup.rows.filter((row) => row[x] !== null);
  const accurate = placed.filter((row) => row[FLOOR] !== null);
  if (accurate.length && accurate.length >= placed.length / 6) return { x, y: FLOOR };
  return x === "latency_ms" ? { x: "macs", y: x } : { x, y: "params" };
};
const INITIAL = {
  group: groups.indexOf(firstGroup),
  by: hasAccuracy ? FLOOR : knows(firstGroup, "latency_ms") ? "latency_ms" : "params",
  limits: {}, // cost -> at most so much
  floor: null, // of top-1, in percent
  view: "scatter",
  ...firstAxes(),
  logX: true,
  logY: firstAxes().y !== FLOOR,
  joined: false, // one front over all sources of accuracies
  second: null, // the group whose front is drawn behind
  colour: usualColour,
  shape: families.length > 1 ? "family" : usualShape,
  off: [], // families that are switched off
  variant: null,
  filter: "",
  box: null, // of networks that are selected in the figure
  sort: null, // column of the table
  wide: false, // all columns of the table
  tab: document.getElementById("search") ? "search" : "networks",
  theme: "auto",
};
const state = { ...INITIAL, limits: {} };
const listeners = [];
let addressTimer = 0;

// Called with the names of what has changed.
const onChange = (listener) => listeners.push(listener);

function change(changes) {
  const changed = Object.keys(changes).filter((name) => JSON.stringify(changes[name]) !== JSON.stringify(state[name]));
  if (!changed.length) return;
  Object.assign(state, changes);
  if (changed.includes("group") || changed.includes("off")) onRows = null;
  for (const listener of listeners) listener(new Set(changed));
  clearTimeout(addressTimer); // a slider that is dragged asks for more than browsers allow
  addressTimer = setTimeout(() => history.replaceState(null, "", `#${address()}`), 100);
}

function address() {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (name === "limits") for (const [cost, most] of Object.entries(value)) words.set(`max_${cost}`, most);
    else if (name === "off") value.length && words.set("off", value.join(","));
    else if (name === "group") value === INITIAL.group || words.set("latency", groups[value].key);
    else if (name === "box") value && words.set("box", wordsOfBox(value));
    else if (name === "second") value === null || words.set("second", groups[value].key);
    else if (value !== INITIAL[name]) words.set(name, value);
  }
  return words.toString();
}

// An address may be of another page, or typed: what it names and the page does not have is left out.
function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const read = { ...INITIAL, limits: {} };
  const number = (text) => (Number(text) > 0 && Number.isFinite(Number(text)) ? Number(text) : null); // null is 0
  for (const cost of costs) {
    const most = number(words.get(`max_${cost}`));
    if (most !== null) read.limits[cost] = most;
  }
  read.floor = number(words.get("floor"));
  for (const [name, said] of [["group", "latency"], ["second", "second"]]) {
    const number = groups.findIndex(({ key }) => key === words.get(said));
    if (number >= 0) read[name] = number;
  }
  const allowed = {
    by: objectives(),
    view: ["scatter", "parallel"],
    x: axes().map(({ key }) => key),
    y: axes().map(({ key }) => key),
    colour: colours(),
    shape: shapes(),
    sort: columns.flatMap(({ name }) => [name, `-${name}`]),
    theme: ["auto", "light", "dark"],
    tab: panelsOfPage.map(({ id }) => id),
  };
  for (const [name, values] of Object.entries(allowed)) if (values.includes(words.get(name))) read[name] = words.get(name);
  for (const name of ["logX", "logY", "joined", "wide"]) if (words.has(name)) read[name] = words.get(name) === "true";
  const off = (words.get("off") ?? "").split(",").filter((name) => families.includes(name));
  if (off.length < families.length) read.off = off;
  read.filter = words.get("filter") ?? "";
  read.box = readBox(words.get("box"));
  read.variant = rows.some((row) => row.variant === words.get("variant")) ? words.get("variant") : null;
  return read;
}

// The chosen group's rows, of the families that are not switched off.
const isOn = (row) => !state.off.includes(row.family);
let onRows = null; // until a choice changes
const groupRows = () => (onRows ??= groups[state.group].rows.filter(isOn));
// Whether the page has but a part of the chosen group's rows: then it does not know which of all is the best. (Which rows
// can be that is no way out: of 3,494 networks of 0.25 to 1.0 and 128 to 224 px no other beats 79 % in accuracy and all sizes.)
const isSample = () => groups[state.group].total > groups[state.group].rows.length;
