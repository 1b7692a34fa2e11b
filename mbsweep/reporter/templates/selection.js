// Networks that are chosen by a box in the figure: shaded there, whatever its axes, and alone in the table.

const selecting = document.getElementById("selecting"); // whether to drag draws a box, or zooms
const MOST_SHADED = 500; // more would be one blot: then the others fade
const dragMode = () => (narrow.matches ? false : selecting.checked ? "select" : "zoom");

// state.box: {x, y, group, across: [from, to], up: [from, to]}: of which axes and whose rows, in the units of the axes.
const wordsOfBox = ({ x, y, group, across, up }) => JSON.stringify([x, y, ...across, ...up, groups[group].key]);
function readBox(words) {
  try {
    const [x, y, left, right, low, high, key] = JSON.parse(words);
    const group = groups.findIndex((one) => one.key === key);
    const isBox = [x, y].every((axis) => Object.hasOwn(axisOf, axis)) && [left, right, low, high].every(Number.isFinite);
    return isBox && group >= 0 ? { x, y, group, across: [left, right], up: [low, high] } : null;
  } catch {
    return null;
  }
}

function namesIn({ x, y, group, across, up }) {
  const inside = (key, [from, to]) => (row) => {
    const value = valueOn(axisOf[key], row);
    const { scale } = columnOf[axisOf[key].name];
    return typeof value === "number" && value / scale >= from && value / scale <= to;
  };
  return new Set(groups[group].rows.filter(inside(x, across)).filter(inside(y, up)).map(({ variant }) => variant));
}

// The names of the networks in the box; null where there is none. Kept: the table and the figure ask of each row.
let boxed = { of: null, names: null };
function selected() {
  const { box } = state;
  if (boxed.of !== box) boxed = { of: box, names: box && namesIn(box) };
  return boxed.names;
}
const isSelected = ({ variant }) => selected()?.has(variant) ?? true;

const isDimmed = ({ row }) => selected()?.size > MOST_SHADED && !isSelected(row);

function shadeSelected(frame, points, { x, y }) {
  if (!state.box) return;
  const found = points.filter(({ row }) => isSelected(row));
  if (selected().size <= MOST_SHADED) for (const point of found) frame.append(drawn("circle", { cx: x(point), cy: y(point), r: 13, class: "selected" }));
  const { box } = state;
  if (box.x !== state.x || box.y !== state.y || box.group !== state.group) return;
  const { xaxis, yaxis } = plot._fullLayout;
  const [left, right] = box.across.map((end) => xaxis.d2p(end));
  const [bottom, top] = box.up.map((end) => yaxis.d2p(end));
  frame.append(drawn("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "box" }));
}

// `12 networks selected; the table lists only these. Show all`: below the figure, and above the table.
function showSelected() {
  for (const place of document.querySelectorAll(".selected-line")) {
    place.hidden = !state.box;
    if (!state.box) continue;
    const button = make("button", { type: "button", className: "variant" }, "Show all");
    button.addEventListener("click", () => {
      change({ box: null });
      (place.closest(".panel") ? filter : document.querySelector(".explorer")).focus(); // the button is gone
    });
    place.replaceChildren(`${plural(selected().size, "network")} selected; the table lists only ${selected().size === 1 ? "this" : "these"}. `, button);
  }
}

// What plotly gives when a box is drawn. Its own marks go: those of the page hold in every view.
function boxDrawn(event) {
  if (!event?.range) return;
  const ends = (values) => [...values].sort((a, b) => a - b).map((value) => Number(value.toPrecision(4)));
  const box = { x: state.x, y: state.y, group: state.group, across: ends(event.range.x), up: ends(event.range.y) };
  Plotly.update(plot, { selectedpoints: [null] }, { selections: [] });
  if (namesIn(box).size) change({ box });
}

function setUpSelection() {
  selecting.addEventListener("change", () => plot.data && Plotly.relayout(plot, { dragmode: dragMode() }));
  onChange((changed) => {
    if (changed.has("view")) selecting.parentElement.hidden = state.view === "parallel";
    if (!changed.has("box")) return;
    showSelected();
    showTable();
    soon(updateOverlay);
  });
}
