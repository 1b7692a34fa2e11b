// Puts the parts together: the theme, the address, and who is told of what.

const dark = matchMedia("(prefers-color-scheme: dark)");
const forced = matchMedia("(forced-colors: active)"); // then the ground is the system's, whatever is chosen

function showTheme() {
  const isDark = state.theme === "auto" || forced.matches ? dark.matches : state.theme === "dark";
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  document.getElementById("theme").value = state.theme;
}

// How far the latencies can be relied on, in a word; it leads to all that is to be known.
function showNoise() {
  const timed = groupRows().filter((row) => row.latency_kind === "measured");
  const noisy = timed.filter((row) => cautionOf(row, "latency_ms")).length;
  const chip = document.getElementById("noise");
  const isTold = document.getElementById("trust") !== null;
  chip.hidden = !timed.length || !(noisy || isTold);
  chip.textContent = noisy ? `Noisy: ${noisy} of ${timed.length} latencies; why` : "What to know of these numbers";
}

function showAll() {
  showTheme();
  filter.value = state.filter;
  showBudgets();
  reserve();
  showTable();
  showTab();
  nameTabs();
  showNoise();
  showSecond();
  showSelected();
  showExplorer();
  showDetails();
}

Object.assign(state, readAddress());
// The first to be told: the others read the theme's colours.
onChange((changed) => changed.has("theme") && showTheme());
document.getElementById("theme").addEventListener("change", ({ target }) => change({ theme: target.value }));
for (const query of [dark, forced]) query.addEventListener("change", () => listeners.forEach((listener) => listener(new Set(["theme"]))));
addEventListener("hashchange", () => change(readAddress()));
onChange((changed) => (changed.has("group") || changed.has("off")) && showNoise());
let onScreen = state.theme; // paper is white
addEventListener("beforeprint", () => {
  onScreen = state.theme;
  change({ theme: "light" });
});
addEventListener("afterprint", () => change({ theme: onScreen }));
setUpBudgets();
onChange((changed) => ["group", "by", "off"].some((name) => changed.has(name)) && reserve());
addEventListener("resize", reserve);
setUpExplorer();
setUpSecond();
setUpSelection();
setUpTable();
setUpDetails();
setUpSteps();
setUpDevices();
setUpTabs();
setUpSearch();
document.getElementById("worth").addEventListener("toggle", showWorth);
showAll();
showBeside();
for (const element of document.querySelectorAll(".figure")) setUpFigure(element);
