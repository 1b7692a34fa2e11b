// The budgets in the figure: lines that can be dragged, and the ground beyond them.

// What of the budgets an axis shows: a limit of a cost, or the floor of top-1; a group's own latencies alone.
function limitOn(key) {
  if (costs.includes(key)) return { name: key, limit: state.limits[key] };
  return key === FLOOR ? { name: key, limit: state.floor, isFloor: true } : {};
}

const pixels = (axis, { name, limit }) => axis.d2p(limit / columnOf[name].scale);

// The ground beyond the limits; how far along the figure may be spent, in pixels.
function shade(frame, { xaxis, yaxis }) {
  const ground = { fill: tone("--ink"), "fill-opacity": 0.06 };
  const [across, up] = [limitOn(state.x), limitOn(state.y)];
  let spent = Infinity;
  if (across.limit > 0) {
    const at = pixels(xaxis, across);
    const [x, width] = across.isFloor ? [0, at] : [at, xaxis._length - at];
    if (!across.isFloor) spent = Math.max(at, 0);
    if (width > 0) frame.append(drawn("rect", { x: Math.max(x, 0), y: 0, width: Math.min(width, xaxis._length), height: yaxis._length, ...ground }));
  }
  if (up.limit > 0) {
    const at = pixels(yaxis, up);
    const [y, height] = up.isFloor ? [at, yaxis._length - at] : [0, at];
    if (height > 0) frame.append(drawn("rect", { x: 0, y: Math.max(y, 0), width: xaxis._length, height: Math.min(height, yaxis._length), ...ground }));
  }
  return spent;
}

// A line and a handle for each axis that has a budget; without one the handle waits at the end.
function handles({ xaxis, yaxis, width, height }) {
  handle(limitOn(state.x), xaxis, { isAcross: true, length: width, other: height });
  handle(limitOn(state.y), yaxis, { isAcross: false, length: height, other: width });
}

function handle(asked, axis, { isAcross, length, other }) {
  if (!asked.name || !span(asked.name)) return;
  const isSet = asked.limit > 0;
  const open = isAcross === !asked.isFloor ? length : 0; // where no limit is
  const at = isSet ? Math.min(Math.max(pixels(axis, asked), 0), length) : open;
  const words = isSet ? quantity(asked.name, asked.limit) : asked.isFloor ? "no floor" : "no limit";
  const grip = make("div", { className: `grip ${isAcross ? "across" : "up"}${isSet ? "" : " open"}` }, isAcross ? `◀ ${words} ▶` : `▲ ${words} ▼`);
  const rule = make("div", { className: `rule ${isAcross ? "across" : "up"}` });
  Object.assign(grip.style, isAcross ? { left: `${at}px`, top: "-24px" } : { left: `${other}px`, top: `${at}px` });
  Object.assign(rule.style, isAcross ? { left: `${at}px`, top: 0, height: `${other}px` } : { left: 0, top: `${at}px`, width: `${other}px` });
  overlay.append(...(isSet ? [rule] : []), grip);
  if (isAcross && (isSet || asked.isFloor)) { // all of it within the figure; to measure it would lay out the page once more
    const [half, { l, r }] = [4.6 * grip.textContent.length, plot._fullLayout._size];
    grip.style.transform = "translateX(-50%)";
    grip.style.left = `${Math.min(Math.max(at, half - l), length + r - half)}px`;
  }
  for (const part of [grip, rule]) part.addEventListener("pointerdown", (event) => drag(event, asked, axis, { isAcross, length }));
}

// By the window: what is dragged is drawn anew at each move.
function drag(event, { name, isFloor }, axis, { isAcross, length }) {
  event.preventDefault();
  const { left, top } = overlay.getBoundingClientRect();
  const move = (to) => {
    const at = isAcross ? to.clientX - left : to.clientY - top;
    const isOff = isFloor ? (isAcross ? at <= 0 : at >= length) : isAcross ? at >= length : at <= 0;
    const value = axis.p2d(Math.min(Math.max(at, 0), length)) * columnOf[name].scale;
    const set = isOff || !(value > 0) ? null : Number(isFloor ? value.toFixed(1) : value.toPrecision(3));
    if (isFloor) change({ floor: set });
    else setLimit(name, set);
  };
  const done = () => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", done);
    removeEventListener("pointercancel", done);
    document.documentElement.classList.remove("dragging");
  };
  document.documentElement.classList.add("dragging");
  addEventListener("pointermove", move);
  addEventListener("pointerup", done);
  addEventListener("pointercancel", done);
}
