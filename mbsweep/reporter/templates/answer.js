// The sentence that answers: which network fits best, how surely, what is safe, and what a step more would buy.

const answer = document.getElementById("answer");
const counts = document.getElementById("counts");
const OF = { macs: " mult-adds", params: " parameters", weight_bytes: " of weights", peak_activation_bytes: " of peak activations" };
const IS_BEST = {
  top1_pct: "is the best", top5_pct: "has the highest top-5", latency_ms: "is the fastest", macs: "has the fewest mult-adds",
  params: "has the fewest parameters", weight_bytes: "has the smallest weights", peak_activation_bytes: "has the smallest peak activations",
};
const UNSURE = "the accuracy's interval reaches below what is asked";

const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const bold = (words) => make("b", {}, words);
const accuracyAsked = () => (state.by === "top5_pct" ? state.by : FLOOR);
const isAsked = () => Object.keys(state.limits).length > 0 || state.floor !== null;

const variantButton = (row, words = short(row)) => {
  const parts = words.split(/([\d.]+-\d+)/).map((part, place) => (place % 2 ? make("span", { className: "whole" }, part) : part));
  const button = make("button", { type: "button", className: "variant", title: row.variant }, ...parts);
  button.addEventListener("click", () => change({ variant: row.variant }));
  return button;
};

// `within 5 ms and 3 million parameters, with at least 65.0 % top-1`.
function askedWords(wish = state) {
  const limits = Object.entries(wish.limits).map(([cost, most]) => quantity(cost, most) + (OF[cost] ?? ""));
  const words = limits.length ? [`within ${limits.join(" and ")}`] : [];
  if (wish.floor !== null) words.push(`with at least ${quantity(FLOOR, wish.floor)} top-1`);
  return words.join(", ");
}

// `65.3 % top-1 in 4.89 ms (95 %: 4.71 to 5.11)`: what is asked of a network, and its latency.
function worthWords(row, isShort = false, wish = state) {
  const words = Object.keys(OF).filter((name) => name === wish.by || name in wish.limits).map((name) => quantity(name, row[name]) + OF[name]);
  const sure = (name) => (isShort || !interval(row, name) ? "" : ` (95 %: ${interval(row, name).replace(/ (ms|%)$/, "")})`);
  const accuracy = accuracyAsked();
  if (row[accuracy] !== null) words.push(`${quantity(accuracy, row[accuracy])}${isShort ? "" : accuracy === FLOOR ? " top-1" : " top-5"}${isShort || row.top1_kind === "published" ? "" : `, ${row.top1_kind}`}${sure(accuracy)}`);
  const told = row.latency_kind === "measured" || isShort ? "" : `, ${row.latency_kind}`;
  const latency = row.latency_ms === null ? "" : `${words.length ? " in " : ""}${quantity("latency_ms", row.latency_ms)}${told}${sure("latency_ms")}`;
  return words.join(", ") + latency;
}

const rounded = (value) => Number(value.toPrecision(3));
const signed = (value, words) => `${value > 0 ? "+" : "-"}${words(Math.abs(value))}`;
const points = (value) => `${value.toFixed(1)} point${value.toFixed(1) === "1.0" ? "" : "s"}`;

// A limit in four digits that a number is within: 6.8454 ms needs 6.846.
function enough(name, value) {
  const { scale } = columnOf[name];
  const digit = 10 ** (Math.floor(Math.log10(value / scale)) - 3);
  return Number((Math.ceil(value / scale / digit - 1e-9) * digit).toPrecision(4)) * scale;
}

// `+1.9 points for +1.96 ms (limit 6.85 ms, 37 % more)`: from the best to another.
function priceWords(best, row) {
  const gain = isMost(state.by) ? signed(row[state.by] - best[state.by], points) : signed(row[state.by] - best[state.by], (value) => quantity(state.by, value));
  const over = Object.entries(state.limits).filter(([cost, most]) => row[cost] > most);
  const price = over.map(([cost]) => `${signed(row[cost] - best[cost], (value) => quantity(cost, rounded(value)))}${OF[cost] ?? ""}`);
  const share = (ratio) => (ratio < 1.005 ? "<1" : Math.round(100 * (ratio - 1)));
  const needs = over.map(([cost, most]) => `limit ${quantity(cost, enough(cost, row[cost]))}, ${share(row[cost] / most)} % more`);
  return `${gain} for ${price.join(" and ")} (${needs.join("; ")})`;
}

// `; its accuracy: published, torchvision-v1`, where that is of another source than the best's.
function sourceWords(best, row) {
  const isOther = [best, row].every((one) => one[FLOOR] !== null) && originOf(row) !== originOf(best);
  return isOther ? `; its accuracy: ${accuracySource(row)}` : "";
}

// `. It fits with 86 % and is the best with 71 %`: the second where it is another number, for a better one may fit.
function surenessWords(row) {
  if (!isAsked()) return "";
  const chance = chanceOf(row, state);
  if (chance === null) return ". How surely it fits nobody knows, for a number has no interval";
  const fits = chance.share === 1 ? "surely" : `with ${chanceWords(chance)}`;
  const share = isSample() ? null : chanceOfBest(row, state);
  const isBest = share === null || chanceWords({ share }) === chanceWords(chance) ? "" : ` and is the best with ${chanceWords({ share })}`;
  return `. It fits ${fits}${isBest}`;
}

// What is to be known of a row's numbers that were asked for.
function doubtsOf(row) {
  const asked = new Set([state.by, ...Object.keys(state.limits), ...(state.floor === null ? [] : [FLOOR]), "latency_ms"]);
  const found = [...asked].map((name) => cautionOf(row, name)).filter(Boolean);
  return state.floor !== null && ends(row, FLOOR)?.[0] < state.floor ? [...found, UNSURE] : found;
}

// What is to be known of all numbers that the answer is made of.
function cautions() {
  const { latency, accuracy } = groups[state.group].cautions;
  return [...latency, ...(state.floor !== null || state.by.startsWith("top") ? accuracy : [])];
}

function whatIsUnknown() {
  if (!groupRows().length) return "Its families are switched off.";
  const name = needed(state).find((needs) => groupRows().every((row) => row[needs] === null));
  if (!name) return "Of no variant here are all numbers known that are asked for.";
  const reasons = new Set(groupRows().map((row) => (name.startsWith("top") ? row.top1_reason : row.error)));
  const [reason] = reasons;
  return `${columnOf[name].label} is known of no variant here${reasons.size === 1 && reason ? `: ${reason}` : ""}.`;
}

// `mbsweep pick RUN --max-macs 200000000`: what answers from all rows.
function pickCommand() {
  const words = Object.entries(state.limits).map(([cost, most]) => `--max-${cost.replaceAll("_", "-")} ${most}`);
  if (state.floor !== null) words.push(`--min-top1 ${state.floor}`);
  if (state.by !== FLOOR) words.push(`--${isMost(state.by) ? "maximize" : "minimize"} ${state.by}`);
  return [groups[state.group].pick, ...words].join(" ");
}

// Whether the best of all rows is on the page, where it has but a part of them: all that are on a front of accuracy against
// one cost are.
function isOnFront() {
  const asked = new Set([...Object.keys(state.limits), ...(isMost(state.by) ? [] : [state.by])]);
  return asked.size <= 1 && state.by !== "top5_pct" && !state.off.length;
}

function tellSample() {
  const [has, all] = [groups[state.group].rows.length, groups[state.group].total].map((count) => count.toLocaleString("en"));
  const words = `This page has ${has} of ${all} rows: all on a front, others picked at random. Which of all is the best here it cannot say.`;
  const which = `from all rows${state.off.length ? " and families" : ""}, with these budgets`;
  answer.replaceChildren(make("p", { className: "sentence" }, "No best is named."), make("p", { className: "more" }, words), snippet(`This command says it, ${which}`, pickCommand()));
}

// What the best is, and of whom, where no budget says it: what cannot be judged may be better.
function bestOfAll({ fitting, unknown }) {
  const known = unknown || state.off.length ? " that can be judged" : "";
  if (fitting.length === 1) return `is the only one${known}`;
  return `${IS_BEST[state.by]} of ${known ? `the ${fitting.length.toLocaleString("en")}${known}` : "all"}`;
}

function tellBest(found) {
  const { fitting, step } = found;
  const [best] = fitting;
  const asked = askedWords();
  const sentence = make("p", { className: "sentence" }, variantButton(best), " ");
  sentence.append(...(asked ? [`${IS_BEST[state.by]} `, bold(asked)] : [bestOfAll(found)]), `: ${worthWords(best)}${surenessWords(best)}`);
  for (const words of doubtsOf(best)) sentence.append("; ", make("strong", { className: "doubt" }, words));
  sentence.append(".");
  const more = make("p", { className: "more" });
  const also = (words, row, ...behind) => more.append(make("span", {}, `${words}: `, variantButton(row), ...behind));
  const safe = isAsked() && !isSample() && chanceOf(best, state)?.isSafe === false ? safest(decision(), state) : null;
  if (safe) {
    const less = isMost(state.by) ? `${points(best[state.by] - safe[state.by])} less` : `${quantity(state.by, safe[state.by] - best[state.by])} more`;
    also(`To be safe (${payload.safe} %)`, safe, `, ${worthWords(safe, true)}, ${less}${sourceWords(best, safe)}.`);
  } else if (isAsked() && !isSample() && chanceOf(best, state)?.isSafe === false) more.append(make("span", {}, `None fits with ${payload.safe} %.`));
  if (step) also("A step more", step, `, ${priceWords(best, step)}${sourceWords(best, step)}.`);
  else if (isAsked() && Object.keys(state.limits).length) more.append(make("span", {}, "More would buy nothing better."));
  if (!step && fitting[1] && !isSample()) also("Second", fitting[1], `, ${worthWords(fitting[1], true)}${sourceWords(best, fitting[1])}.`);
  answer.append(sentence, more);
}

// `latency 3.2 % over`, `latency 29 times the limit`.
function overWords(label, ratio) {
  if (ratio >= 2) return `${label} ${written(rounded(ratio))} times the limit`;
  return `${label} ${ratio < 1.0005 ? "less than 0.1" : ((ratio - 1) * 100).toFixed(1)} % over`;
}

function tellNothing({ out, nearest }) {
  const sentence = make("p", { className: "sentence" }, bold(out ? `Nothing fits ${askedWords()}.` : "Nothing can be judged."));
  answer.append(sentence);
  if (!out) return answer.append(make("p", { className: "more" }, whatIsUnknown()));
  const short = [...Object.entries(state.limits).filter(([cost, most]) => nearest[cost] > most).map(([cost, most]) => overWords(columnOf[cost].label.toLowerCase(), nearest[cost] / most))];
  if (state.floor !== null && nearest[FLOOR] < state.floor) short.push(`${state.floor - nearest[FLOOR] < 0.05 ? "less than 0.1 points" : points(state.floor - nearest[FLOOR])} of top-1 short`);
  answer.append(make("p", { className: "more" }, make("span", {}, "Nearest: ", variantButton(nearest), `, ${worthWords(nearest)}: ${short.join(", ")}.`)));
}

// The longest that is asked: a latency, and, but for a telephone, whose first screen has no other slider, one thing more.
function longestWishes() {
  const [first, ...others] = costs.filter(span).map((cost) => [cost, span(cost)[1]]);
  const length = ([cost, limit]) => (quantity(cost, limit) + (OF[cost] ?? "")).length;
  const two = [first, ...others.sort((a, b) => length(b) - length(a)).slice(0, narrow.matches ? 0 : 1)];
  return [[first], two].map((limits) => ({ by: state.by, limits: Object.fromEntries(limits), floor: null }));
}

// The room that the sentence can need, so that nothing moves while a slider does: of the network with the longest
// name, with all that can be said of it.
function reserve() {
  answer.style.cssText = "";
  const all = groupRows();
  if (!all.length) return;
  const longest = (words) => words.reduce((a, b) => (b.length > a.length ? b : a));
  const [one, two] = longestWishes();
  const name = longest(all.map((row) => short(row)));
  const worth = longest(decision().fitting.slice(0, 100).concat(all[0]).map((row) => worthWords(row, false, two)));
  const doubt = longest(all.map((row) => cautionOf(row, "latency_ms") ?? ""));
  const sentence = make("p", { className: "sentence" }, bold(name), ` ${IS_BEST[state.by]} `, bold(askedWords(two)), `: ${worth}. It fits with 12 % and is the best with 12 %; `, make("strong", { className: "doubt" }, doubt), ".");
  const count = `${plural(all.length, "variant")} fit; ${all.length.toLocaleString("en")} do not.`;
  const lines = [`To be safe (${payload.safe} %): ${name}, ${worthWords(all[0], true, one)}, 12.3 points less.`, `A step more: ${name}, +12.3 points for +0.1234 ms (limit 0.1234 ms, 123 % more).`, count];
  const more = make("p", { className: "more" }, ...lines.map((words) => make("span", {}, words)));
  const said = cautions();
  const tallest = make("div", { id: "longest" }, sentence, more);
  if (said.length) tallest.append(make("p", { className: "warning caution" }, `Caution: ${said.join("; ")}.`));
  answer.append(tallest);
  const [height, ofSentence, ofMore] = [tallest, sentence, more].map((part) => `${Math.ceil(part.getBoundingClientRect().height)}px`);
  tallest.remove();
  answer.style.minHeight = `max(4.4rem, ${height})`;
  answer.style.setProperty("--sentence", ofSentence); // on a telephone they stand apart
  answer.style.setProperty("--more", ofMore);
}

let announcing = 0;

function showAnswer() {
  const found = decision();
  answer.replaceChildren();
  answer.classList.toggle("long", Object.keys(state.limits).length + Number(state.floor !== null) > 2);
  if (isSample() && !isOnFront()) tellSample();
  else if (found.fitting.length) tellBest(found);
  else tellNothing(found);
  const said = cautions();
  if (said.length) answer.append(make("p", { className: "warning caution" }, `Caution: ${said.join("; ")}.`));
  counts.textContent = `${countWords(found)}.`;
  const { key, device } = groups[state.group];
  document.getElementById("paper").textContent = `${isAsked() ? askedWords() : "No budget"}; ${key}; ${device}`;
  clearTimeout(announcing);
  announcing = setTimeout(() => { // once a slider rests
    document.getElementById("announced").textContent = answer.querySelector(".sentence").textContent;
  }, 600);
  ([...answer.querySelectorAll(".more")].at(-1) ?? answer).append(counts);
}

function countWords({ fitting, out, unknown }) {
  if (isSample()) return `${fitting.length.toLocaleString("en")} of the ${groupRows().length.toLocaleString("en")} rows on this page fit; there are ${groups[state.group].total.toLocaleString("en")}`;
  const failed = groupRows().filter((row) => row.error !== null).length;
  const said = isAsked() ? [plural(fitting.length, "variant fits", "variants fit"), plural(out, "does not", "do not")] : [plural(fitting.length, "variant")];
  if (unknown) said.push(`${unknown.toLocaleString("en")}${isAsked() ? "" : " more"} cannot be judged: a number that is asked for is unknown`);
  const off = groups[state.group].rows.length - groupRows().length;
  if (off) said.push(`${off.toLocaleString("en")} of families that are switched off`);
  if (failed) said.push(`${failed.toLocaleString("en")} failed or not finished`);
  const sources = needed(state).some((name) => name.startsWith("top")) ? originsOf(fitting).length : 0;
  if (sources > 1) said.push(`accuracies of those that fit are of ${sources} sources`);
  return said.join("; ");
}
