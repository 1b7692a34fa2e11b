// Beside the figure: the steps of the front around the best with their price, and the same budget elsewhere.

const AROUND = 2; // steps to each side of the best
const ELSEWHERE = 8; // other configurations and devices; the tab of devices has all
const steps = document.getElementById("steps");
const elsewhereBox = document.getElementById("elsewhere");

// The cost and the accuracy whose front is told: that of the figure, where it draws one.
function frontAxes() {
  const isFront = columnOf[axisOf[state.y].name].better === "higher";
  const cost = isFront && costs.includes(state.x) ? state.x : ["latency_ms", "macs", "params"].find((name) => span(name));
  return { cost, value: accuracyAsked() };
}

// The one that decides: the best, or what comes nearest to it.
const deciding = () => decision().fitting[0] ?? decision().nearest;

// Rows of the front of accuracy against a cost, the cheapest first, within all limits but that of the cost. As in the
// figure, accuracies of another source than that of the best are compared only if the reader asks.
function stepsOfFront({ cost, value }) {
  const { [cost]: _, ...others } = state.limits;
  const cheapest = inOrderOf(groupRows(), `${cost} ${value}`, () => (a, b) => a[cost] - b[cost] || b[value] - a[value]);
  const isAble = fitsWithin({ limits: others, floor: null });
  const one = state.joined ? null : deciding();
  const isCompared = (row) => !one || originOf(row) === originOf(one);
  const able = cheapest.filter((row) => row[cost] !== null && row[value] !== null && isAble(row) && isCompared(row));
  const found = [];
  for (const row of able) if (!found.length || row[value] > found.at(-1)[value]) found.push(row);
  return found;
}

// Of a front the steps behind which accuracy gets dearer the most, between its ends.
function elbows(front, { cost, value }, most = 2 * AROUND + 1) {
  const slope = (a, b) => (b[value] - a[value]) / Math.log(b[cost] / a[cost]);
  const inner = front.slice(1, -1).map((row, place) => ({ row, bend: slope(front[place], row) - slope(row, front[place + 2]) }));
  const kept = new Set([...inner.sort((a, b) => b.bend - a.bend).slice(0, most - 2).map(({ row }) => row), front[0], front.at(-1)]);
  return front.filter((row) => kept.has(row));
}

const smallTable = (heads, lines) => {
  const head = make("thead", {}, make("tr", {}, ...heads.map((words, place) => make("th", { scope: "col", className: place ? "number" : "" }, words))));
  return make("table", {}, head, make("tbody", {}, ...lines));
};
const line = (cells, className = "") => make("tr", { className }, ...cells.map((cell, place) => make("td", { className: place ? "number" : "" }, cell)));

function showSteps() {
  const axes = frontAxes();
  const { cost, value } = axes;
  const front = isSample() && !isOnFront() ? [] : stepsOfFront(axes);
  steps.hidden = front.length < 2;
  if (steps.hidden) return;
  const best = decision().fitting[0] ?? null;
  const place = best ? front.findLastIndex((row) => row[cost] <= best[cost]) : 0;
  const isFree = !isAsked() || !best;
  const begin = Math.max(0, Math.min(place - AROUND, front.length - 2 * AROUND - 1));
  const shown = isFree ? elbows(front, axes) : front.slice(begin, begin + 2 * AROUND + 1);
  const unit = columnOf[cost].scaled_unit;
  const from = (row, number) => (isFree ? shown[number - 1] : best === row ? null : best);
  const inUnits = (amount) => written(rounded(amount / columnOf[cost].scale));
  const hasChances = !isFree && shown.some((row) => chanceOf(row, state) !== null);
  const lines = shown.map((row, number) => {
    const base = from(row, number);
    const gain = base ? [signed(row[value] - base[value], (amount) => amount.toFixed(1)), signed(row[cost] - base[cost], inUnits)] : ["", ""];
    const chance = hasChances ? [chanceWords(chanceOf(row, state))] : [];
    return line([variantButton(row), row[value].toFixed(1), written(row[cost] / columnOf[cost].scale), ...gain, ...chance], row === best && !isFree ? "best" : "");
  });
  const heads = ["network", value === FLOOR ? "top-1" : "top-5", unit, "+pt", `+${unit}`, ...(hasChances ? ["fits"] : [])];
  const title = isFree ? "The front's elbows, and what each step costs" : "Steps of the front, against the best";
  const sources = originsOf(groupRows());
  const words = state.joined ? `Accuracies of ${sources.length} sources are compared.` : `Only accuracies of one source are compared: ${accuracySource(shown[0])}. This page has ${sources.length} sources.`;
  const told = sources.length > 1 ? [make("p", { className: "muted" }, words)] : [];
  steps.replaceChildren(make("h2", {}, title), smallTable(heads, lines.reverse()), ...told);
}

// What groups are called beside one another: without what all of them have in common.
const wordsOfGroups = (() => {
  const split = groups.map(({ words }) => words.split(", "));
  const ofKind = (isOwn) => split.filter((_, number) => groups[number].isOwn === isOwn);
  const isCommon = (word, isOwn) => ofKind(isOwn).every((others) => others.includes(word));
  const found = groups.map(({ device, isOwn }, number) => {
    const name = device.replace(/^\S+ (for|on) /, "").split(",")[0];
    const own = split[number].filter((word, place) => (isOwn && !place) || !isCommon(word, isOwn));
    return (isOwn || !name ? own : [name, ...own]).join(", ");
  });
  // Two machines may have one configuration, and a latency be measured on one and predicted for it, too.
  return found.map((words, number) => (found.indexOf(words) === found.lastIndexOf(words) ? words : `${words}, ${groups[number].device}`));
})();

// null: none fits; undefined: the page has not the rows to tell.
function bestElsewhere(number) {
  const group = groups[number];
  if (group.total > group.rows.length && !isOnFront()) return undefined;
  return bestOf(number === state.group ? groupRows() : group.rows.filter(isOn), state);
}

function elsewhereLine(number) {
  const best = bestElsewhere(number);
  const accuracy = accuracyAsked();
  const button = make("button", { type: "button", className: "variant", title: groups[number].key }, wordsOfGroups[number]);
  button.addEventListener("click", () => change({ group: number }));
  const value = best && best[accuracy] !== null ? best[accuracy].toFixed(1) : "";
  const isTold = best !== undefined && needed(state).every((name) => knows(groups[number], name));
  return line([button, best ? variantButton(best) : isTold ? "none" : UNKNOWN, value], number === state.group ? "best" : "");
}

const elsewhereHeads = () => ["device", "best", accuracyAsked() === FLOOR ? "top-1" : "top-5"];

function showElsewhere() {
  elsewhereBox.hidden = groups.length < 2;
  if (elsewhereBox.hidden) return;
  const others = groups.map((_, number) => number).filter((number) => number !== state.group);
  const shown = [state.group, ...others].slice(0, ELSEWHERE);
  const limit = Object.keys(state.limits).length === 1 && state.floor === null ? Object.entries(state.limits).map(([cost, most]) => quantity(cost, most) + (OF[cost] ?? ""))[0] : null;
  const longest = Math.max(...groupRows().map((row) => short(row).length)); // names break as little as can be
  elsewhereBox.style.setProperty("--best", `${Math.min(Math.max(2.8 * longest, 22), 46)}%`);
  const title = !isAsked() ? "The best elsewhere" : limit ? `The same ${limit} elsewhere` : "The same budgets elsewhere";
  const more = groups.length > shown.length ? [make("p", { className: "muted" }, `and ${groups.length - shown.length} more under Devices`)] : [];
  elsewhereBox.replaceChildren(make("h2", {}, title), smallTable(elsewhereHeads(), shown.map(elsewhereLine)), ...more);
}

function setUpSteps() {
  addEventListener("resize", placeLegend);
  onChange((changed) => {
    if (["group", "by", "limits", "floor", "off", "x", "joined"].some((name) => changed.has(name))) soonBeside();
  });
}

// At most once a frame, behind the sentence and the figure: a slider asks more often.
let isBesideDue = false;
function soonBeside() {
  if (isBesideDue) return;
  isBesideDue = true;
  requestAnimationFrame(() => {
    isBesideDue = false;
    showBeside();
  });
}

let besideOf = null; // the group that stands there
function showBeside() {
  showSteps();
  showElsewhere();
  if (besideOf !== state.group) placeLegend();
  besideOf = state.group;
  showDevices();
  if (document.getElementById("worth").open || document.getElementById("worth").hidden) showWorth();
}
