// How likely the best within the budgets is the best of all that fit, as `mbsweep pick` says it.

const DRAWS = 1000; // where what is asked has intervals
const MOST_JUDGED = 500; // networks of a page, where what is asked has intervals
const MOST_DRAWN = 60; // of them that may be the best; beyond either the chance is not told

// From 0 to 1; null where it is not known: a number has no interval, or too many networks may be the best.
function chanceOfBest(best, wish) {
  const order = inOrderOf(groupRows(), wish.by, () => better(wish.by)); // who is first at a tie
  if (isTimed(wish) && hasOpen(order)) return null;
  const isExact = wish.by !== "latency_ms" && !(wish.by === FLOOR && hasIntervals(order));
  if (!isExact && order.length > MOST_JUDGED) return null;
  const asGood = order.findLastIndex((row) => worth(row, wish.by) === worth(best, wish.by));
  const rivals = (isExact ? order.slice(0, asGood + 1) : order)
    .filter(isJudged(wish)).filter(canFit(wish, hasIntervals(order)))
    .map((row) => ({ row, chance: chanceOf(row, wish), ...worthOf(row, wish.by) }))
    .filter(({ chance }) => chance.share > 0);
  const enough = Math.max(...rivals.map(({ chance, least }) => (chance.share === 1 ? least : -Infinity)));
  const able = rivals.filter(({ most }) => most >= enough);
  const isSettled = !isTimed(wish) || new Set(able.map(({ most }) => most)).size === able.length; // else the faster is first
  if (!isExact || !isSettled) return able.length > MOST_DRAWN ? null : drawnBest(best, able, wish);
  const place = able.findIndex(({ row }) => row === best);
  return place < 0 ? 0 : able.slice(0, place).reduce((share, { chance }) => share * (1 - chance.share), able[place].chance.share);
}

const isTimed = ({ limits, by }) => "latency_ms" in limits || by === "latency_ms";

// Of some rows, kept: a slider asks at each move. Whether a latency has no interval; whether an accuracy has one.
const ofRows = (find) => {
  const found = new WeakMap();
  return (some) => found.get(some) ?? found.set(some, find(some)).get(some);
};
const hasOpen = ofRows((some) => some.some((row) => row.latency_ms !== null && !ends(row, "latency_ms")));
const hasIntervals = ofRows((some) => some.some((row) => ends(row, FLOOR)));

// Of a wish, what tells whether a row may fit: in few steps, for most of ten thousand cannot. isOpen: whether accuracies
// have intervals.
function canFit({ limits, floor }, isOpen) {
  const { latency_ms: most, ...sizes } = limits;
  const asked = Object.entries(sizes);
  const isEnough = (row) => floor === null || isOpen || row[FLOOR] >= floor;
  const isSoonEnough = (row) => most === undefined || most * row.latency_ms >= row.latency_low_ms ** FARTHEST; // as `within`
  return (row) => isSoonEnough(row) && isEnough(row) && asked.every(([cost, limit]) => row[cost] <= limit);
}

// What a row may be worth at least and at most: more is better.
function worthOf(row, by) {
  const [known, value] = [by === "latency_ms" || by === FLOOR ? ends(row, by) : null, worth(row, by)];
  if (!known) return { least: value, most: value };
  const reached = [-1, 1].map((side) => (by === FLOOR ? accuracyAt(row, known, side * FARTHEST) : -latencyAt(row, known, -side * FARTHEST)));
  return { least: reached[0], most: reached[1] };
}

// So many half-widths of its interval away from itself.
const latencyAt = (row, [low, high], step) => row.latency_ms * (step < 0 ? row.latency_ms / low : high / row.latency_ms) ** step;
function accuracyAt(row, known, step) {
  const [low, middle, high] = [known[0], row[FLOOR], known[1]].map(angle);
  return 100 * Math.sin(Math.min(Math.max(middle + step * (step < 0 ? middle - low : high - middle), 0), Math.PI / 2)) ** 2;
}

// The share of draws in which a row fits and none that fits is better.
function drawnBest(best, rivals, wish) {
  const chance = chances(1);
  const far = () => Math.min(Math.max((Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance())) / NORMAL_95, -FARTHEST), FARTHEST);
  const most = wish.limits.latency_ms ?? Infinity;
  const hasLatency = isTimed(wish);
  const asked = rivals.map(({ row }) => ({ row, latency: hasLatency ? ends(row, "latency_ms") : null, accuracy: ends(row, FLOOR) }));
  let wins = 0;
  for (let draw = 0; draw < DRAWS; draw += 1) {
    let [first, highest, soonest] = [null, -Infinity, Infinity];
    for (const { row, latency, accuracy } of asked) {
      const takes = latency ? drawnLatency(row, latency, chance, far) : row.latency_ms;
      const top1 = accuracy ? accuracyAt(row, accuracy, far()) : row[FLOOR];
      if ((hasLatency && takes > most) || (wish.floor !== null && top1 < wish.floor)) continue;
      const value = wish.by === "latency_ms" ? -takes : wish.by === FLOOR ? top1 : worth(row, wish.by);
      if (value > highest || (hasLatency && value === highest && takes < soonest)) [first, highest, soonest] = [row, value, takes];
    }
    wins += first === best;
  }
  return wins / DRAWS;
}

// As its visits drawn anew: the page has the latency that each percent of the draws is within.
function drawnLatency(row, known, chance, far) {
  const drawn = payload.chances[row.place];
  if (!drawn) return latencyAt(row, known, far());
  const of = [...drawn.slice(0, 100), drawn.at(-1)];
  const place = 100 * chance();
  const below = Math.floor(place);
  return of[below] + (place - below) * (of[below + 1] - of[below]);
}

// Numbers from 0 to 1, the same on every page (mulberry32).
function chances(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
