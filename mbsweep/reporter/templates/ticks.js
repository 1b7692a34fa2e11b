// Which labels a log axis has, once its range is known: plotly adds some space to what the values span, and readers zoom.

const CROWDED = 125; // pixels of a decade across: for less, the labels 1,000 and 2,000 touch

// Between one decade and three, plotly writes every digit, for which there is no place: there 1, 2 and 5 of each decade, or 1
// alone.
async function chooseTicks(element) {
  const changes = {};
  for (const [name, axis] of Object.entries(element.layout)) {
    if (axis?.type !== "log" || !axis.range) continue;
    const decades = Math.abs(axis.range[1] - axis.range[0]);
    const mode = decades >= 1 && decades <= 3 ? "linear" : "auto";
    if (mode !== axis.tickmode) changes[`${name}.tickmode`] = mode;
    const isCrowded = name.startsWith("x") && decades > 2 && element._fullLayout[name]._length / decades < CROWDED;
    const step = isCrowded ? 1 : "D2";
    if (mode === "linear" && step !== axis.dtick) changes[`${name}.dtick`] = step;
  }
  if (Object.keys(changes).length) await Plotly.relayout(element, changes);
}
