// Parallel coordinates: a line for each variant, over all that the variants differ in.

const COSTS_AND_GAIN = ["macs", "params", "latency_ms", "top1_pct"]; // the last axes of parallel coordinates
const MOST_LINES = 500; // that are drawn: of more, each is a hair, and drawing them takes seconds
const PARALLEL_GAP = 115; // pixels from one of these to the next, at least: a narrow page scrolls

// The axes of parallel coordinates: what networks differ in, where all of them have it, and what that costs; and the
// networks that have a place on each. valuesOf: a column and rows -> the distinct values.
function parallelAxes(valuesOf) {
  const costs = COSTS_AND_GAIN.filter((name) => name in columnOf && valuesOf(name, groupRows()).length > 1);
  const placed = groupRows().filter((row) => costs.every((name) => row[name] !== null));
  const isList = (name) => placed.some((row) => String(row[name]).startsWith("[")); // its stages have axes of their own
  const isFew = (name) => isNumeric[name] || (valuesOf(name, placed).length <= payload.symbols.length && !isList(name));
  const own = columns.filter(({ name, field }) => field && placed.every((row) => row[name] !== null) && isFew(name));
  const fields = ["family", ...own.map(({ name }) => name)].filter((name) => valuesOf(name, placed).length > 1);
  return { names: [...fields, ...costs], placed };
}

// Of very many rows some, evenly over all of them, in whatever order they stand; who is on a front and who is chosen is
// always among them.
function someLines(known) {
  if (known.length <= MOST_LINES) return known;
  const isKept = (row) => row.on_front === true || row.variant === state.variant;
  const others = MOST_LINES / known.length;
  const GOLDEN = (Math.sqrt(5) - 1) / 2; // its multiples, less their whole parts, lie evenly and in step with nothing
  return known.filter((row, place) => isKept(row) || (place * GOLDEN) % 1 < others);
}

function parallelFigure() {
  const valuesOf = (name, of) => [...new Set(of.map((row) => row[name]))].filter((value) => value !== null);
  const { names, placed } = parallelAxes(valuesOf);
  const fitting = placed.filter(fitsWithin(state));
  const known = someLines(fitting);
  if (!known.length || !names.length) return null;
  const goal = names.at(-1);
  const isPlaced = (family) => placed.some((row) => row.family === family);
  const isChosen = known.some((row) => row.variant === state.variant);
  const rangeOf = (name) => { // of all that fit: axes do not depend on who is drawn
    const all = fitting.map((row) => row[name] / columnOf[name].scale);
    const [low, high] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
    return low < high ? { range: [low, high] } : {};
  };
  const dimensions = names.map((name) => {
    if (!isNumeric[name]) {
      const words = name === "family" ? families.filter(isPlaced) : valuesOf(name, placed).sort();
      return { label: plain(labelled(columnOf[name])), values: known.map((row) => words.indexOf(row[name])), tickvals: words.map((_, place) => place), ticktext: words.map((word) => plain(written(word))) };
    }
    const few = valuesOf(name, placed).length <= FEW && !columnOf[name].better; // these are all written out
    const values = known.map((row) => row[name] / columnOf[name].scale);
    return { label: plain(/_\d+$/.test(name) ? name.replaceAll("_", " ") : labelled(columnOf[name])), values, ...rangeOf(name), ...(few ? { tickvals: valuesOf(name, placed) } : {}) };
  });
  const line = isChosen
    ? { color: known.map((row) => Number(row.variant === state.variant)), colorscale: [[0, "rgba(128,128,128,0.25)"], [1, FRONT_COLOUR]], cmin: 0, cmax: 1 }
    : { color: known.map((row) => row[goal] / columnOf[goal].scale), colorscale: payload.colours.map((colour, place, all) => [place / (all.length - 1), colour]), showscale: true, colorbar: { title: { text: plain(labelled(columnOf[goal])) }, thickness: 12 } };
  const left = Math.max(70, ...(dimensions[0].ticktext ?? []).map((word) => 7 * word.length)); // its labels stand there
  const whose = `${isSample() ? " of the sample" : ""} within the budgets`;
  const all = `${plural(fitting.length, "variant")}${whose}: those on a front, and others evenly chosen, for all would be one area`;
  remark.textContent = `${plural(known.length, "line")}${known.length < fitting.length ? ` of ${all}` : `, one for each variant${whose}`}; drag along an axis to pick a part of it.`;
  plot.setAttribute("aria-label", `Parallel coordinates: ${remark.textContent}`);
  return { data: [{ type: "parcoords", dimensions, line, unselected: { line: { opacity: 0.05 } } }], layout: { ...paperLayout(), height: 460, margin: { l: left, r: 40, t: 60, b: 30 } }, wide: left + PARALLEL_GAP * names.length + 20 };
}

// Behind a slider that moves: lines take longer than its next move.
let isParallelDue = 0;
function soonParallel() {
  clearTimeout(isParallelDue);
  isParallelDue = setTimeout(() => state.view === "parallel" && drawExplorer(), 100);
}
