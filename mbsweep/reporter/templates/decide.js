// Which variants fit the budgets, which is the best of them, and what a step more would buy: as `mbsweep pick` has it.

const WIDER = 1.1;
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
  const [best] = fitting;
  const isEnough = (row) => wish.floor === null || row[FLOOR] >= wish.floor;
  const above = best ? known.filter((row) => isEnough(row) && worth(row, wish.by) > worth(best, wish.by)) : [];
  const step = nearestOf(above, wish); // the least that must be given for something better
  const nearest = best ? null : nearestOf(known, wish);
  return { fitting, missed, step, nearest, out: known.length - fitting.length, unknown: candidates.length - known.length };
}

// The best that fits as good as surely: with `payload.safe` percent.
const safest = ({ fitting }, wish) => fitting.find((row) => chanceOf(row, wish)?.isSafe) ?? null;

// By how large a share of a limit, or of the floor, a row misses at worst; below 0 where it misses none.
function missedBy(row, { limits, floor }) {
  const shares = Object.entries(limits).map(([cost, most]) => row[cost] / most - 1);
  return Math.max(-Infinity, ...shares, ...(floor ? [1 - row[FLOOR] / floor] : []));
}

// Of some rows, the one that misses by the least share; of equal ones the best.
function nearestOf(some, wish) {
  const order = better(wish.by);
  let [least, share] = [null, Infinity];
  for (const row of some) {
    const own = missedBy(row, wish);
    if (least && (own > share || (own === share && order(least, row) <= 0))) continue;
    [least, share] = [row, own];
  }
  return least;
}

// The best of some rows alone: to put all in order takes longer.
function bestOf(some, wish) {
  const order = better(wish.by);
  let best = null;
  for (const row of some) if (isCandidate(row, wish) && fits(row, wish) && (!best || order(row, best) < 0)) best = row;
  return best;
}

let decided = null; // until a wish changes
const decision = () => (decided ??= decide(groupRows(), state));
