// Puts the parts together: the theme, the address, and who is told of what.

const dark = matchMedia("(prefers-color-scheme: dark)");

function showTheme() {
  const isDark = state.theme === "dark" || (state.theme === "auto" && dark.matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  document.getElementById("theme").value = state.theme;
}

function showAll() {
  showTheme();
  filter.value = state.filter;
  showBudgets();
  showTable();
  showExplorer();
  showDetails();
}

Object.assign(state, readAddress());
// The first to be told: the others read the theme's colours.
onChange((changed) => changed.has("theme") && showTheme());
document.getElementById("theme").addEventListener("change", ({ target }) => change({ theme: target.value }));
dark.addEventListener("change", () => {
  if (state.theme !== "auto") return;
  for (const listener of listeners) listener(new Set(["theme"]));
});
addEventListener("hashchange", () => change(readAddress()));
let onScreen = state.theme; // paper is white
addEventListener("beforeprint", () => {
  onScreen = state.theme;
  change({ theme: "light" });
});
addEventListener("afterprint", () => change({ theme: onScreen }));
setUpBudgets();
setUpExplorer();
setUpTable();
setUpDetails();
showAll();
for (const element of document.querySelectorAll(".figure")) setUpFigure(element);
