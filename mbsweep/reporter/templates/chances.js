// How likely a row fits, as `mbsweep pick` says it: a latency as its visits drawn anew, or as its interval has it.

const NORMAL_95 = 1.959963984540054;
const FARTHEST = 2; // half-widths of its interval that a number may be away from itself

// Of the standard normal distribution, to seven digits (Abramowitz and Stegun, 7.1.26).
function cdf(z) {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp((-z * z) / 2);
  return z < 0 ? tail / 2 : 1 - tail / 2;
}

// Whether a latency is within a limit: how likely, from 0 to 1, and whether as good as surely; null: nobody knows.
function within(row, most) {
  const known = ends(row, "latency_ms");
  if (!known) return null;
  const [down, up] = [Math.log(row.latency_ms / known[0]), Math.log(known[1] / row.latency_ms)];
  const step = Math.log(most / row.latency_ms);
  if (step < -FARTHEST * down || step >= FARTHEST * up) return certain(step >= 0);
  const drawn = payload.chances[row.place];
  if (!drawn) return likely(cdf((step / (step < 0 ? down : up)) * NORMAL_95));
  if (most < drawn[0] || most >= drawn.at(-1)) return certain(most >= drawn[0]);
  const count = drawn.slice(1, 100).filter((latency) => latency <= most).length;
  return { share: Math.max(count, 0.1) / 100, isSafe: drawn[100] <= most };
}

const certain = (isSo) => ({ share: Number(isSo), isSafe: isSo });
const likely = (share) => ({ share, isSafe: share >= payload.safe / 100 });

// An accuracy on the scale on which its noise is even.
const angle = (pct) => Math.asin(Math.sqrt(Math.min(Math.max(pct, 0), 100) / 100));

// The same of an accuracy that is at least so much.
function atLeast(row, floor) {
  const known = ends(row, FLOOR);
  if (!known) return certain(row[FLOOR] >= floor);
  const [low, middle, high] = [known[0], row[FLOOR], known[1]].map(angle);
  const step = middle - angle(floor);
  const width = step > 0 ? middle - low : high - middle;
  if (Math.abs(step) >= FARTHEST * width) return certain(step >= 0);
  return likely(cdf((step / width) * NORMAL_95));
}

// Of all that is asked of a row; null where a number that is needed is unknown, or how far it can be off.
function chanceOf(row, { limits, floor }) {
  const { latency_ms: most, ...sizes } = limits;
  const found = [certain(Object.entries(sizes).every(([cost, limit]) => row[cost] !== null && row[cost] <= limit))];
  if (most !== undefined) found.push(row.latency_ms === null ? null : within(row, most));
  if (floor !== null) found.push(row[FLOOR] === null ? null : atLeast(row, floor));
  if (found.includes(null)) return null;
  const share = found.reduce((product, one) => product * one.share, 1);
  return { share, isSafe: found.length > 2 ? share >= payload.safe / 100 : found.every((one) => one.isSafe) };
}

// `86 %`; what is open is neither 0 nor 100 %.
function chanceWords(chance) {
  if (chance === null) return UNKNOWN;
  const isOpen = chance.share > 0 && chance.share < 1;
  return `${isOpen ? Math.min(Math.max(Math.round(100 * chance.share), 1), 99) : 100 * chance.share} %`;
}
