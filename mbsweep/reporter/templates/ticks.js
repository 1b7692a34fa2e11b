// Which labels and ticks a log axis has, once its range is known: plotly adds some space to what the values span, and
// readers zoom.

const CROWDED = 125; // pixels of a decade across: for less, the labels 1,000 and 2,000 touch
const logAxesOf = (element) => Object.entries(element.layout).filter(([, axis]) => axis?.type === "log" && axis.range);

// Between one decade and three, plotly writes every digit, for which there is no place: there 1, 2 and 5 of each decade, or 1
// alone.
async function chooseTicks(element) {
  const changes = {};
  for (const [name, axis] of logAxesOf(element)) {
    const decades = Math.abs(axis.range[1] - axis.range[0]);
    const mode = decades >= 1 && decades <= 3 ? "linear" : "auto";
    if (mode !== axis.tickmode) changes[`${name}.tickmode`] = mode;
    const isCrowded = name.startsWith("x") && decades > 2 && element._fullLayout[name]._length / decades < CROWDED;
    const step = isCrowded ? 1 : "D2";
    if (mode === "linear" && step !== axis.dtick) changes[`${name}.dtick`] = step;
  }
  if (Object.keys(changes).length) await Plotly.relayout(element, changes);
  await chooseMinorTicks(element);
}

// Between even labels, as 5, 10, 15 are on a log axis, even ticks: plotly has those of 6 to 9, and from 10 on none.
async function chooseMinorTicks(element) {
  const changes = {};
  for (const [name, { minor }] of logAxesOf(element)) {
    const { dtick } = element._fullLayout[name];
    const [, step] = /^L(.+)/.exec(dtick) ?? [];
    const parts = /^[0.]*2/.test(step) ? 4 : 5; // between 2 and 4 stand 2.5, 3 and 3.5
    const fine = step ? `L${Number((step / parts).toPrecision(6))}` : dtick > 1 ? 1 : "D1";
    if (minor && fine !== minor.dtick) changes[`${name}.minor.dtick`] = fine;
  }
  if (Object.keys(changes).length) await Plotly.relayout(element, changes);
}
