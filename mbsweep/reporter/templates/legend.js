// The legend beside the figure: what colours, markers and lines tell.

const GLYPHS = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", "triangle-down": "▼", pentagon: "⬟", star: "★", hexagon: "⬢", cross: "✚", x: "✖", "triangle-left": "◀", "triangle-right": "▶", hourglass: "⧗", bowtie: "⧓", "star-diamond": "✦" };

// Beside the figure, in words: what colours and markers tell.
function showLegend(points, byColour, byShape, isShown) {
  const lines = [];
  const told = (title, entries) => lines.push(make("p", {}, make("b", {}, `${title}: `), ...entries));
  const entry = (mark, words, color) => {
    const sign = make("span", { className: "mark" }, mark);
    if (color) sign.style.color = color;
    return make("span", { className: "entry" }, sign, ` ${words}`);
  };
  const word = (name, value) => (["width", "resolution", "family"].includes(name) ? `${value}` : `${written(value)} ${columnOf[name].unit}`);
  const all = (name, scale, made) => [...scale].filter(([value]) => isShown(name, value)).map(made);
  const isOne = state.colour === state.shape && byColour && byShape.size;
  if (isOne) told(columnOf[state.colour].label, all(state.colour, byColour, ([value, color]) => entry(GLYPHS[byShape.get(value)], word(state.colour, value), color)));
  else {
    if (byColour) told(columnOf[state.colour].label, all(state.colour, byColour, ([value, color]) => entry("●", word(state.colour, value), color)));
    if (byShape.size) told(columnOf[state.shape].label, all(state.shape, byShape, ([value, shape]) => entry(GLYPHS[shape], word(state.shape, value))));
  }
  const signs = ["Line: Pareto front within the budgets."];
  if (isSample()) signs[0] = "Line: Pareto front of the sample.";
  signs.push("Pale: another beats it on both axes.");
  if (points.some(({ row }) => [state.x, state.y].some((key) => key in BARS && interval(row, key)))) signs.push("Band: 95 % interval.");
  if (points.some(isPredicted)) signs.push("Hollow: predicted.");
  if (isLatencyFront()) signs.push("Ring: the front is not settled (5 to 95 %).");
  document.getElementById("legend").replaceChildren(...lines, make("p", { className: "muted" }, signs.join(" ")));
}

function legendWords(name, value) {
  const { label, unit } = columnOf[name];
  if (name === "family") return value;
  return name === "width" ? `width ${value}` : name === "resolution" ? `${value} px` : `${label} ${written(value)} ${unit}`;
}
