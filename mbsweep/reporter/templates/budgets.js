// The controls: what is asked for, within which budgets, of which families.

const STEPS = 1000; // of a slider; its right end is no limit
const TICKS = 40; // values below a slider; more would be one band
const GOALS = { top1_pct: "highest", top5_pct: "highest", latency_ms: "lowest", macs: "fewest", params: "fewest" };
const sliders = {};

// The smallest and the largest number of a column in the chosen group. Kept: a slider asks at each move.
const spans = { of: null };
function span(name) {
  if (spans.of !== groupRows()) for (const key of Object.keys(spans)) delete spans[key];
  spans.of = groupRows();
  if (!(name in spans)) {
    const known = spans.of.map((row) => row[name]).filter((value) => value !== null);
    spans[name] = known.length ? [Math.min(...known), Math.max(...known)] : null;
  }
  return spans[name];
}

const atStep = (step, [low, high]) => {
  const value = low * (high / low) ** (step / STEPS);
  return Number(value.toPrecision(3));
};
const toStep = (value, [low, high]) => {
  if (high === low) return value >= high ? STEPS : 0;
  return Math.round(Math.min(Math.max(Math.log(value / low) / Math.log(high / low), 0), 1) * STEPS);
};

const setLimit = (name, value) => {
  const { [name]: _, ...others } = state.limits;
  change({ limits: value === null ? others : { ...others, [name]: value } });
};

// Where the networks are along a slider.
function tickMarks(name, at) {
  const known = new Set(groupRows().map((row) => row[name]).filter((value) => value !== null));
  const places = known.size > TICKS ? [] : [...known].map(at);
  return places.map((step) => {
    const mark = make("span");
    mark.style.left = `${(100 * step) / STEPS}%`;
    return mark;
  });
}

function addBudget(name, { isFloor = false } = {}) {
  const column = columnOf[name];
  const words = `${isFloor ? "At least" : "At most"}: ${column.label}`;
  const range = make("input", { type: "range", id: `slider-${name}`, min: 0, max: STEPS, step: 1 });
  const box = make("input", { type: "number", id: `budget-${name}`, min: 0, step: "any", inputMode: "decimal" });
  range.setAttribute("aria-label", `${words}, slider`);
  box.setAttribute("aria-label", labelled({ ...column, label: words }));
  const set = (value) => (isFloor ? change({ floor: value }) : setLimit(name, value));
  const marks = make("div", { className: "marks" });
  const floorStep = (value, [low, high]) => Math.round(((value - low) / (high - low || 1)) * STEPS);
  let markedOf = null; // the rows whose marks stand there
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
    if (ends && isFloor) range.value = value === null ? open : floorStep(value, ends);
    else range.value = value === null || !ends ? open : toStep(value, ends);
    range.setAttribute("aria-valuetext", value === null ? "no limit" : quantity(name, value));
    if (ends && markedOf !== groupRows()) marks.replaceChildren(...tickMarks(name, (one) => (isFloor ? floorStep(one, ends) : toStep(one, ends))));
    markedOf = groupRows();
    // Not while it is being typed: "5." is 5, and would lose its point.
    const typed = box.value === "" ? null : Number(box.value) * column.scale;
    if (document.activeElement !== box || typed !== value) {
      box.value = value === null ? "" : Number((value / column.scale).toPrecision(7));
    }
    box.placeholder = ends ? written(ends[isFloor ? 0 : 1] / column.scale) : UNKNOWN;
  };
  const label = make("label", { htmlFor: box.id, className: "budget-name" }, column.label);
  const unit = make("span", { className: "muted" }, `${isFloor ? "≥" : "≤"} ${column.scaled_unit}`);
  const budget = make("div", { className: "budget" }, label, make("span", { className: "boxed" }, box, unit), range, marks);
  // On a telephone the first stays in view, the others fold.
  document.getElementById(Object.keys(sliders).length ? "more-budgets" : "first-budget").append(budget);
  sliders[name] = { show };
}

function setUpBudgets() {
  const group = document.getElementById("group");
  groups.forEach(({ key, device }, number) => group.append(make("option", { value: number, title: device }, key)));
  group.addEventListener("change", () => change({ group: Number(group.value) }));
  const by = document.getElementById("by");
  for (const name of objectives()) by.append(make("option", { value: name }, `${GOALS[name] ?? "smallest"} ${columnOf[name].label.toLowerCase()}`));
  by.addEventListener("change", () => change({ by: by.value }));
  costs.forEach((name) => addBudget(name));
  if (isKnown(FLOOR)) addBudget(FLOOR, { isFloor: true });
  document.getElementById("folded").open = !narrow.matches;
  narrow.addEventListener("change", () => { document.getElementById("folded").open = !narrow.matches; });
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
