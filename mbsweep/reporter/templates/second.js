// Behind the front that decides, faint: the front of another configuration or device, if the reader chooses one.

const second = document.getElementById("second");
const DASHED = { stroke: "var(--muted)", "stroke-width": 1.5, "stroke-dasharray": "5 4" };
const secondGroup = () => (state.second === null || state.second === state.group ? null : groups[state.second]);

// Its points on the chosen axes, as `inOrder` has them, and those on its front whatever the budgets. Kept: a slider asks at
// each move.
let kept = { of: "", points: [], onFront: [] };
function secondPoints() {
  if (!secondGroup() || !canHaveSecond()) return { points: [], onFront: [] };
  const of = JSON.stringify([state.second, state.x, state.y, state.logX, state.logY, state.off, state.joined]);
  if (kept.of !== of) {
    const points = inOrder(located(secondGroup().rows.filter(isOn)));
    kept = { of, points, onFront: frontsOf(points).flat() };
  }
  return kept;
}

// Where what a network costs is drawn against what it gives; an axis that is one device's own is no other's.
function canHaveSecond() {
  const isShared = ![state.x, state.y].some((key) => key.includes("@"));
  return state.view === "scatter" && groups.length > 1 && isShared && signOf(state.x) === -signOf(state.y);
}

// Within the same budgets, the longest first.
function secondFronts() {
  const isWithin = fitsWithin(state);
  return frontsOf(secondPoints().points.filter(({ row }) => isWithin(row))).filter((front) => front.length).sort((a, b) => b.length - a.length);
}

// What it is called beside the chosen one: by its first word, and what is not the same of both.
function secondWords() {
  const { total, rows: of, words, isOwn } = secondGroup();
  const chosen = groups[state.group].words.split(", ");
  const parts = words.split(", ");
  const isTold = isOwn && parts.some((word) => !chosen.includes(word));
  const name = isTold ? parts.filter((word, place) => !place || !chosen.includes(word)).join(", ") : wordsOfGroups[state.second];
  return `${total > of.length ? "sample of " : ""}${name}`;
}

// What plotly knows of it: how far the axes reach, what a pointer is told, what a saved picture explains.
function secondTraces() {
  const found = secondPoints().onFront;
  if (!found.length) return [];
  const name = `front of ${wordsOfGroups[state.second]}`;
  const words = (point) => `Second ${plain(name)}<br>${hoverWords(point)}<br>${plain(secondGroup().device)}`;
  const color = tone("--muted");
  return [
    { type: "scatter", mode: "markers", x: found.map(({ x }) => x), y: found.map(({ y }) => y), customdata: found.map(({ row }) => row.variant), text: found.map(words), hovertemplate: "%{text}<extra></extra>", hoverlabel: { bgcolor: color }, marker: { opacity: 0, size: 8, color }, showlegend: false },
    { type: "scatter", mode: "lines", x: [null], y: [null], name: plain(name), hoverinfo: "skip", line: { color, width: 1.5, dash: "dash" } },
  ];
}

function drawSecond(frame, { x, y, reach }) {
  for (const front of marks.second) frame.append(drawn("path", { d: stairs(front, x, y, reach), fill: "none", ...DASHED }));
  const within = new Set(marks.second.flat());
  for (const point of new Set([...within, ...secondPoints().onFront])) {
    frame.append(drawn("circle", { cx: x(point), cy: y(point), r: 2.5, fill: "var(--muted)", opacity: within.has(point) ? 1 : FADED }));
  }
}

function setUpSecond() {
  second.append(make("option", { value: "" }, "none"), ...groups.map((_, number) => make("option", { value: number }, wordsOfGroups[number])));
  second.addEventListener("change", () => change({ second: second.value === "" ? null : Number(second.value) }));
  onChange((changed) => {
    if (["second", "group", "view", "x", "y"].some((name) => changed.has(name))) showSecond();
    if (changed.has("second")) showExplorer();
  });
}

function showSecond() {
  second.parentElement.hidden = !canHaveSecond();
  second.value = secondGroup() ? state.second : "";
  for (const option of second.options) option.disabled = option.value === String(state.group);
}
