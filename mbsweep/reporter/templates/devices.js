// Configurations and devices beside one another, and the latencies of two of them as `mbsweep compare` tells them.

// B over A of one network, with the ends of its 95 % interval; null where nobody knows. As `mbsweep.table.ratios` has it.
function ratioOf(a, b) {
  if (!a || !b || a.latency_ms === null || b.latency_ms === null) return null;
  const value = b.latency_ms / a.latency_ms;
  const known = [a, b].map((row) => ends(row, "latency_ms"));
  if (known.includes(null)) return { value, verdict: "interval unknown" };
  const spread = Math.hypot(...known.map(([low, high]) => Math.log(high / low) / 2));
  const [low, high] = [value * Math.exp(-spread), value * Math.exp(spread)];
  return { value, low, high, verdict: low > 1 ? "slower" : high < 1 ? "faster" : "not settled" };
}

// `2.447 (95 %: 2.442 to 2.453), slower`.
function ratioWords({ value, low, high, verdict }) {
  const sure = low === undefined ? "" : ` (95 %: ${low.toFixed(3)} to ${high.toFixed(3)})`;
  return `${value.toFixed(3)}${sure}, ${verdict}`;
}

// The groups whose latencies are drawn against each other: A across, B up; null where the figure is another.
function drawnPair() {
  if (state.view !== "scatter" || !isTwoLatencies()) return null;
  const [a, b] = [state.x, state.y].map((key) => axisOf[key].group ?? state.group);
  return a === b ? null : { a, b };
}

// Below that figure: all of `compare` that is one line, over all networks of both, whatever the budgets.
function showCompared() {
  const pair = drawnPair();
  const told = pair && payload.compared[pair.b][pair.a]; // nothing of a configuration without latencies
  const box = document.getElementById("compared");
  box.hidden = !told;
  if (!told) return;
  const [a, b] = [pair.a, pair.b].map((number) => bold(wordsOfGroups[number]));
  box.replaceChildren(b, " (up) against ", a, ` (across): ${told.words}.`);
}

// `0.592 to 142 ms`, how many times as long that is, and how many times as many mult-adds: of the slowest and the fastest.
function apartWords({ rows: all }) {
  const known = all.filter((row) => row.latency_ms > 0);
  if (known.length < 2) return ["", "", ""];
  const [fast, slow] = [(a, b) => (b.latency_ms < a.latency_ms ? b : a), (a, b) => (b.latency_ms > a.latency_ms ? b : a)].map((one) => known.reduce(one));
  const times = (name) => `${(slow[name] / fast[name]).toFixed(1)} x`;
  return [`${written(rounded(fast.latency_ms))} to ${quantity("latency_ms", rounded(slow.latency_ms))}`, times("latency_ms"), times("macs")];
}

function deviceLine(group, number) {
  const found = elsewhereLine(number);
  const told = payload.compared[number][state.group];
  const cells = number === state.group ? ["the chosen one", "", ""] : told?.times ? [told.times, told.differing, told.tau] : ["unknown", "", ""];
  const [fastest, apart, times] = apartWords(group);
  found.append(make("td", {}, cells[0]), ...cells.slice(1).map((words) => make("td", { className: "number" }, words)));
  const cell = make("td");
  const key = `latency_ms@${group.key}`;
  if (axisOf[key] && number !== state.group && span("latency_ms")) {
    const button = make("button", { type: "button" }, "Against it");
    button.setAttribute("aria-label", `Against the latencies of ${group.key}`);
    button.addEventListener("click", () => {
      change({ view: "scatter", x: key, y: "latency_ms", logX: true, logY: true });
      scrollTo(0, 0);
    });
    cell.append(button);
  }
  found.append(cell, make("td", {}, fastest), make("td", { className: "number" }, apart), make("td", { className: "number" }, times), make("td", { className: "muted" }, [group.key, group.device].filter(Boolean).join("; ")));
  return found;
}

// Every configuration and device; another of them as the figure's other axis.
function showDevices() {
  const panel = document.getElementById("devices");
  if (!panel || panel.classList.contains("off")) return; // on paper it is there, whatever the tab
  const hasTwo = payload.compared.some((told) => told.some(Boolean));
  const heads = [...elsewhereHeads(), "against the chosen, in the median", "differ", "tau", "figure", "all networks", "slowest / fastest", "their mult-adds", "configuration"];
  const table = smallTable(heads, groups.map(deviceLine));
  const words = [...table.tHead.rows[0].cells];
  for (const place of [3, 6, 7, 10]) words[place].className = ""; // above words
  document.getElementById("everywhere").replaceChildren(table);
  document.getElementById("everywhere-note").hidden = !hasTwo;
}

function setUpDevices() {
  onChange((changed) => ["group", "view", "x", "y"].some((name) => changed.has(name)) && showCompared());
  showCompared();
}
