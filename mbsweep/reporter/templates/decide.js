// Which variants fit the budgets, which is the best of them, and what a step more would buy: as `mbsweep pick` has it.

const objectives = () => ["top1_pct", "top5_pct", ...COSTS].filter(isKnown);
const isMost = (by) => columnOf[by].better === "higher"; // else the best has the least of it
const worth = (row, by) => (row[by] === null ? null : isMost(by) ? row[by] : -row[by]);

// Of a wish, what tells whether a row fits, or can be judged: made once for all rows.
function fitsWithin({ limits, floor }) {
  const asked = Object.entries(limits);
  const isEnough = (row) => floor === null || (row[FLOOR] !== null && row[FLOOR] >= floor);
  return (row) => isEnough(row) && asked.every(([cost, most]) => row[cost] !== null && row[cost] <= most);
}
const fits = (row, wish) => fitsWithin(wish)(row);

const needed = ({ limits, floor, by }) => [...Object.keys(limits), ...(floor === null ? [] : [FLOOR]), by];
function isJudged(wish) {
  const names = needed(wish);
  return (row) => names.every((name) => row[name] !== null);
}

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

// Rows in an order. Kept: a slider asks at each move, and to sort takes longer than to choose.
const sortedRows = new WeakMap(); // rows -> what an order is called -> the same in it
function inOrderOf(some, name, order) {
  if (!sortedRows.has(some)) sortedRows.set(some, new Map());
  const kept = sortedRows.get(some);
  if (!kept.has(name)) kept.set(name, [...some].sort(order()));
  return kept.get(name);
}

// wish: limits, floor, by. The same of it as `mbsweep.decide` in Python.
function decide(candidates, wish) {
  const known = inOrderOf(candidates, wish.by, () => better(wish.by)).filter(isJudged(wish));
  const fitting = known.filter(fitsWithin(wish));
  const [best] = fitting;
  const isEnough = (row) => wish.floor === null || row[FLOOR] >= wish.floor;
  const above = best ? known.filter((row) => isEnough(row) && worth(row, wish.by) > worth(best, wish.by)) : [];
  const step = nearestOf(above, wish); // the least that must be given for something better
  const nearest = best ? null : nearestOf(known, wish);
  return { fitting, step, nearest, out: known.length - fitting.length, unknown: candidates.length - known.length };
}

// The best that fits as good as surely: with `payload.safe` percent.
const safest = ({ fitting }, wish) => fitting.find((row) => chanceOf(row, wish)?.isSafe) ?? null;

// By how large a share of a limit, or of the floor, a row misses at worst; below 0 where it misses none.
function missing({ limits, floor }) {
  const asked = Object.entries(limits);
  return (row) => asked.reduce((most, [cost, limit]) => Math.max(most, row[cost] / limit - 1), floor ? 1 - row[FLOOR] / floor : -Infinity);
}

// Of some rows, the one that misses by the least share; of equal ones the best.
function nearestOf(some, wish) {
  const order = better(wish.by);
  const missedBy = missing(wish);
  let [least, share] = [null, Infinity];
  for (const row of some) {
    const own = missedBy(row);
    if (least && (own > share || (own === share && order(least, row) <= 0))) continue;
    [least, share] = [row, own];
  }
  return least;
}

// The best of some rows alone: to put all in order takes longer.
function bestOf(some, wish) {
  const order = better(wish.by);
  const [isKnown, isIn] = [isJudged(wish), fitsWithin(wish)];
  let best = null;
  for (const row of some) if (isKnown(row) && isIn(row) && (!best || order(row, best) < 0)) best = row;
  return best;
}

let decided = null; // until a wish changes
const decision = () => (decided ??= decide(groupRows(), state));
