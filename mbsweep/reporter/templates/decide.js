// Budgets: which variants fit, which is the best of them, and what a little more would buy. `mbsweep pick`
// answers the same.

const WIDER = 1.1;
const SUPERLATIVES = { top1_pct: "highest", top5_pct: "highest", latency_ms: "lowest", macs: "fewest", params: "fewest" };
const objectives = () => ["top1_pct", "top5_pct", ...COSTS].filter(isKnown);
const isMost = (by) => columnOf[by].better === "higher"; // else the best has the least of it
const worth = (row, by) => (row[by] === null ? null : isMost(by) ? row[by] : -row[by]);

function fits(row, { limits, floor }, wider = 1) {
  if (floor !== null && !(row[FLOOR] !== null && row[FLOOR] >= floor)) return false;
  return Object.entries(limits).every(([cost, most]) => row[cost] !== null && row[cost] <= most * wider);
}

const needed = ({ limits, floor, by }) => [...Object.keys(limits), ...(floor === null ? [] : [FLOOR]), by];
const isCandidate = (row, wish) => needed(wish).every((name) => row[name] !== null);

// Best first: by the objective, then the faster, the smaller, the one that stands first.
function better(by) {
  const up = (a, b) => (a === b ? 0 : a === null ? 1 : b === null ? -1 : a - b); // the unknown last
  return (a, b) =>
    up(worth(b, by), worth(a, by)) ||
    up(a.latency_ms, b.latency_ms) ||
    up(a.macs, b.macs) ||
    up(a.params, b.params) ||
    a.place - b.place;
}

// wish: limits, floor, by. The same of it as `mbsweep.decide` in Python.
function decide(candidates, wish) {
  const known = candidates.filter((row) => isCandidate(row, wish));
  const fitting = known.filter((row) => fits(row, wish)).sort(better(wish.by));
  const beyond = (row) => !fitting.length || worth(row, wish.by) > worth(fitting[0], wish.by);
  const missed = known.filter((row) => !fits(row, wish) && fits(row, wish, WIDER) && beyond(row)).sort(better(wish.by));
  return { fitting, missed, out: known.length - fitting.length, unknown: candidates.length - known.length };
}

// For each limit, the best within it widened by 10 %, where that is better than the best so far.
function nextTenPercent(candidates, wish, best) {
  const found = [];
  for (const [cost, most] of Object.entries(wish.limits)) {
    const wider = { ...wish, limits: { ...wish.limits, [cost]: most * WIDER } };
    const [next] = decide(candidates, wider).fitting;
    if (next && (!best || worth(next, wish.by) > worth(best, wish.by))) found.push({ cost, most: most * WIDER, next });
  }
  return found;
}

let decided = null; // until a wish changes
const decision = () => (decided ??= decide(groupRows(), state));

// -- the panel ------------------------------------------------------------------------------------------

const STEPS = 1000; // of a slider; its right end is no limit
const answer = document.getElementById("answer");
const sliders = {};

// The smallest and the largest number of a column in the chosen group, a little widened so that all fit.
function span(name) {
  const known = groupRows().map((row) => row[name]).filter((value) => value !== null);
  return known.length ? [Math.min(...known), Math.max(...known)] : null;
}

const atStep = (step, [low, high]) => {
  const value = low * (high / low) ** (step / STEPS);
  return Number(value.toPrecision(3));
};
const toStep = (value, [low, high]) => {
  if (high === low) return value >= high ? STEPS : 0;
  return Math.round(Math.min(Math.max(Math.log(value / low) / Math.log(high / low), 0), 1) * STEPS);
};

function addBudget(name, { isFloor = false } = {}) {
  const column = columnOf[name];
  const words = `${isFloor ? "At least" : "At most"}: ${column.label}`;
  const range = make("input", { type: "range", id: `slider-${name}`, min: 0, max: STEPS, step: 1 });
  const box = make("input", { type: "number", id: `budget-${name}`, min: 0, step: "any", inputMode: "decimal" });
  range.setAttribute("aria-label", `${words}, slider`);
  box.setAttribute("aria-label", labelled({ ...column, label: words }));
  const set = (value) => {
    if (isFloor) return change({ floor: value });
    const { [name]: _, ...others } = state.limits;
    return change({ limits: value === null ? others : { ...others, [name]: value } });
  };
  range.addEventListener("input", () => {
    const step = Number(range.value);
    if (isFloor) {
      const [low, high] = span(name);
      set(step === 0 ? null : Number((low + ((high - low) * step) / STEPS).toFixed(1)));
    } else set(step === STEPS ? null : atStep(step, span(name)));
  });
  box.addEventListener("change", () => show()); // what is no budget, such as -1, does not stay in the box
  box.addEventListener("input", () => {
    const value = box.value === "" ? null : Number(box.value) * column.scale;
    if (value === null || value > 0) set(value);
  });
  const show = () => {
    const ends = span(name);
    const value = isFloor ? state.floor : (state.limits[name] ?? null);
    range.disabled = !ends;
    box.disabled = !ends && value === null;
    const open = isFloor ? 0 : STEPS;
    if (ends && isFloor) range.value = value === null ? open : Math.round(((value - ends[0]) / (ends[1] - ends[0] || 1)) * STEPS);
    else range.value = value === null || !ends ? open : toStep(value, ends);
    range.setAttribute("aria-valuetext", value === null ? "no limit" : quantity(name, value));
    // Not while it is being typed: "5." is 5, and would lose its point.
    const typed = box.value === "" ? null : Number(box.value) * column.scale;
    if (document.activeElement !== box || typed !== value) {
      box.value = value === null ? "" : Number((value / column.scale).toPrecision(7));
    }
    box.placeholder = ends ? `${isFloor ? "any" : "up to"} ${written(ends[isFloor ? 0 : 1] / column.scale)}` : UNKNOWN;
  };
  const label = make("label", { htmlFor: box.id, className: "budget-name" }, column.label);
  const unit = make("span", { className: "muted" }, `${isFloor ? "≥" : "≤"} ${column.scaled_unit}`);
  document.getElementById("budgets").append(make("div", { className: "budget" }, label, unit, range, box));
  sliders[name] = { show };
}

const variantButton = (row, words = short(row)) => {
  const button = make("button", { type: "button", className: "variant", title: row.variant }, words);
  button.addEventListener("click", () => change({ variant: row.variant }));
  return button;
};

function card(title, row) {
  const numbers = make("dl");
  const told = [state.by, "latency_ms", ...Object.keys(state.limits), ...(state.floor === null ? [] : [FLOOR])];
  for (const name of new Set([...told, "top1_pct", "macs", "params"])) {
    if (row[name] === null) continue;
    const most = state.limits[name];
    const words = [quantity(name, row[name])];
    if (name in BARS && interval(row, name)) words.push(`95 %: ${interval(row, name)}`);
    if (name === "latency_ms") words.push(row.latency_kind);
    if (name === "top1_pct") words.push(accuracySource(row));
    if (most !== undefined) words.push(`${Math.round((100 * row[name]) / most)} % of the budget`);
    const isBelow = name === FLOOR && state.floor !== null && (ends(row, name)?.[0] ?? Infinity) < state.floor;
    const open = (name === "latency_ms" && most !== undefined && row.latency_high_ms > most) || isBelow;
    const shown = make("dd", {}, words.join("; "));
    const caution = cautionOf(row, name);
    if (caution) shown.append("; ", make("strong", {}, caution));
    if (open) shown.append("; ", make("strong", {}, isBelow ? "its interval reaches below what is asked" : "its interval reaches beyond the budget"));
    numbers.append(make("div", {}, make("dt", {}, columnOf[name].label), shown));
  }
  if (row.front_pct !== null) {
    const words = `with a probability of ${Math.round(row.front_pct)} %`;
    const cost = row.latency_ms === null ? "mult-adds" : "latency"; // what a row's front is of
    numbers.append(make("div", {}, make("dt", {}, `On the front of top-1 against ${cost}`), make("dd", {}, words)));
  }
  return make("article", { className: "card" }, make("h3", {}, `${title} `, variantButton(row)), numbers);
}

// What is to be known of all numbers that the answer is made of.
function cautions() {
  const { latency, accuracy } = groups[state.group].cautions;
  const said = [...latency, ...(state.floor !== null || state.by.startsWith("top") ? accuracy : [])];
  return said.length ? [make("p", { className: "warning" }, `Caution: ${said.join("; ")}.`)] : [];
}

function whatIsUnknown() {
  if (!groupRows().length) return "Its families are switched off.";
  const name = needed(state).find((needs) => groupRows().every((row) => row[needs] === null));
  if (!name) return "Of no variant here are all numbers known that are asked for.";
  const reasons = new Set(groupRows().map((row) => (name.startsWith("top") ? row.top1_reason : row.error)));
  const [reason] = reasons;
  return `${columnOf[name].label} is known of no variant here${reasons.size === 1 && reason ? `: ${reason}` : ""}.`;
}

const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

// `mbsweep pick RUN --max-macs 200000000`: what answers from all rows.
function pickCommand() {
  const words = Object.entries(state.limits).map(([cost, most]) => `--max-${cost.replaceAll("_", "-")} ${most}`);
  if (state.floor !== null) words.push(`--min-top1 ${state.floor}`);
  if (state.by !== FLOOR) words.push(`--${isMost(state.by) ? "maximize" : "minimize"} ${state.by}`);
  return [groups[state.group].pick, ...words].join(" ");
}

function showSample() {
  const [has, all] = [groups[state.group].rows.length, groups[state.group].total].map((count) => count.toLocaleString("en"));
  const words = `This page has ${has} of ${all} rows, picked at random. Which of all fits best, and how many do, it cannot say.`;
  const which = `from all rows${state.off.length ? " and families" : ""}, with these budgets`;
  const ask = snippet(`This command says it, ${which}`, pickCommand());
  const told = make("article", { className: "card" }, make("h3", {}, "No best is named"), make("p", {}, words), ask);
  answer.replaceChildren(...cautions(), told);
  document.getElementById("counts").textContent = "";
}

function showAnswer() {
  if (isSample()) return showSample();
  const { fitting, missed, out, unknown } = decision();
  const [best, second] = fitting;
  answer.replaceChildren(...cautions());
  if (best) answer.append(card("Best:", best));
  if (second) answer.append(card("Runner-up:", second));
  const more = make("article", { className: "card" }, make("h3", {}, best ? "What 10 % more would buy" : out ? "Nothing fits" : "Nothing can be judged"));
  const next = nextTenPercent(groupRows(), state, best);
  const list = make("ul");
  for (const { cost, most, next: row } of next) {
    const gain = best ? ` (${quantity(state.by, row[state.by])}, ${isMost(state.by) ? "+" : "-"}${quantity(state.by, Math.abs(row[state.by] - best[state.by]))})` : "";
    list.append(make("li", {}, `${columnOf[cost].label} up to ${quantity(cost, most)}: `, variantButton(row), gain));
  }
  if (!best && !out) more.append(make("p", {}, whatIsUnknown()));
  else if (list.children.length) more.append(list);
  else if (!Object.keys(state.limits).length) more.append(make("p", {}, best ? "No budget is set: the best of all is named." : "No variant is as accurate as is asked."));
  else if (missed.length) more.append(make("p", {}, "No single limit: only several together."));
  else more.append(make("p", {}, best ? "Nothing better." : "Even 10 % more of each is not enough."));
  if (missed.length) {
    const near = make("p", {}, "Just missed: ");
    for (const [place, row] of missed.slice(0, 3).entries()) {
      const over = Object.entries(state.limits).filter(([cost, most]) => row[cost] > most);
      const words = over.map(([cost, most]) => `${columnOf[cost].label.toLowerCase()} ${((row[cost] / most - 1) * 100).toFixed(1)} % over`);
      near.append(place ? ", " : "", variantButton(row), ` (${words.join(", ")})`);
    }
    more.append(near);
  }
  answer.append(more);
  const failed = groupRows().filter((row) => row.error !== null).length;
  const counts = [`${plural(fitting.length, "variant fits", "variants fit")}`, `${out.toLocaleString("en")} do not`];
  if (unknown) counts.push(`${unknown.toLocaleString("en")} cannot be judged: a number that is asked for is unknown`);
  const off = groups[state.group].rows.length - groupRows().length;
  if (off) counts.push(`${off.toLocaleString("en")} of families that are switched off`);
  if (failed) counts.push(`${failed.toLocaleString("en")} failed or not finished`);
  const sources = needed(state).some((name) => name.startsWith("top")) ? originsOf(fitting).length : 0;
  if (sources > 1) counts.push(`accuracies of those that fit are of ${sources} sources`);
  document.getElementById("counts").textContent = `${counts.join("; ")}.`;
}

function setUpBudgets() {
  const group = document.getElementById("group");
  groups.forEach(({ key, device }, number) => group.append(make("option", { value: number, title: device }, key)));
  group.addEventListener("change", () => change({ group: Number(group.value) }));
  const by = document.getElementById("by");
  for (const name of objectives()) by.append(make("option", { value: name }, `${SUPERLATIVES[name] ?? "smallest"} ${columnOf[name].label.toLowerCase()}`));
  by.addEventListener("change", () => change({ by: by.value }));
  costs.forEach((name) => addBudget(name));
  if (isKnown(FLOOR)) addBudget(FLOOR, { isFloor: true });
  document.getElementById("reset").addEventListener("click", () => change({ limits: {}, floor: null }));
  const link = document.getElementById("link");
  link.addEventListener("click", () => copy(link, `${location.href.split("#")[0]}#${address()}`));
  setUpFamilies();
  onChange((changed) => {
    if (!["group", "by", "limits", "floor", "off"].some((name) => changed.has(name))) return;
    decided = null;
    showBudgets();
  });
}

// A box for each family, to switch it off; one always stays.
function setUpFamilies() {
  const all = document.getElementById("families");
  all.hidden = families.length < 2;
  for (const name of families) {
    const box = make("input", { type: "checkbox", value: name });
    box.addEventListener("change", () => change({ off: families.filter((one) => (one === name ? !box.checked : state.off.includes(one))) }));
    all.append(make("label", { className: "tick" }, box, ` ${name}`));
  }
}

function showFamilies() {
  for (const box of document.querySelectorAll("#families input")) {
    box.checked = !state.off.includes(box.value);
    box.disabled = box.checked && state.off.length === families.length - 1;
  }
}

function showBudgets() {
  showFamilies();
  document.getElementById("group").value = state.group;
  document.getElementById("group-device").textContent = groups[state.group].device;
  document.getElementById("by").value = state.by;
  for (const { show } of Object.values(sliders)) show();
  showAnswer();
}
