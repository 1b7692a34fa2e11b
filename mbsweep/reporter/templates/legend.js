// The legend beside the figure: what colours, markers and lines tell.

const GLYPHS = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", "triangle-down": "▼", pentagon: "⬟", star: "★", hexagon: "⬢", cross: "✚", x: "✖", "triangle-left": "◀", "triangle-right": "▶", hourglass: "⋈", bowtie: "⋈", "star-diamond": "✦" };

// Beside the figure, in words: what colours and markers tell.
function showLegend(points, byColour, byShape, isShown) {
  const lines = [];
  const told = (title, entries) => lines.push(make("p", {}, make("b", {}, `${title}: `), ...entries));
  const entry = (symbol, words, color) => {
    const sign = make("span", { className: `mark ${symbol}` }, GLYPHS[symbol]);
    if (color) sign.style.color = color;
    return make("span", { className: "entry" }, sign, ` ${words}`);
  };
  const word = (name, value) => (["width", "resolution", "family"].includes(name) ? `${value}` : `${written(value)} ${columnOf[name].unit}`);
  const tells = (scale) => scale && scale.size > 1; // else it tells nothing
  const all = (name, scale, made) => [...scale].filter(([value]) => isShown(name, value)).map(made);
  const isOne = state.colour === state.shape && byColour && byShape.size;
  if (isOne) told(columnOf[state.colour].label, all(state.colour, byColour, ([value, color]) => entry(byShape.get(value), word(state.colour, value), color)));
  else {
    if (tells(byColour)) told(columnOf[state.colour].label, all(state.colour, byColour, ([value, color]) => entry("circle", word(state.colour, value), color)));
    if (tells(byShape)) told(columnOf[state.shape].label, all(state.shape, byShape, ([value, shape]) => entry(shape, word(state.shape, value))));
  }
  const signs = [];
  if (isTwoLatencies()) signs.push("Dashed: both take as long.");
  else signs.push(`Line: Pareto front ${isSample() ? "of the sample" : "within the budgets"}.`);
  if (secondPoints().points.length) signs.push(`Dashed: that of ${wordsOfGroups[state.second]}.`);
  if (isTradeOff()) signs.push("Pale: another beats it on both axes.");
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

// Below the figure where that makes the page shorter: beside tables of many devices and long names there is no room for it.
const hasThree = matchMedia("(min-width: 1151px)"); // columns
function placeLegend() {
  const legend = document.getElementById("legend");
  const [beside, shown, screen] = [".beside", ".shown", ".screen"].map((place) => document.querySelector(place));
  beside.append(legend);
  if (!hasThree.matches) return;
  const before = screen.offsetHeight;
  shown.append(legend);
  if (screen.offsetHeight > before - 40) beside.append(legend);
}
