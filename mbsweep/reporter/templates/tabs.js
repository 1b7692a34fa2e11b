// What else the page tells, one part at a time; all of them on paper.

const tabs = document.getElementById("tabs");
// Of one configuration without latencies there is nothing to tell of devices.
if (groups.length < 2 && !groups.some((group) => group.rows.some((row) => row.latency_ms !== null))) document.getElementById("devices").remove();
const panelsOfPage = [...document.querySelectorAll(".panel")];

function setUpTabs() {
  for (const panel of panelsOfPage) {
    const tab = make("button", { type: "button", id: `tab-${panel.id}` }, panel.dataset.tab);
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    tab.addEventListener("click", () => change({ tab: panel.id }));
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tabs.append(tab);
  }
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const all = [...tabs.children];
    const next = all[(all.findIndex((tab) => tab.tabIndex === 0) + step + all.length) % all.length];
    next.focus();
    next.click();
  });
  // A link to a place in another part opens that part; the address is that of the choices.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    const place = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!place) return;
    event.preventDefault();
    const panel = place.closest(".panel");
    if (panel) change({ tab: panel.id });
    place.scrollIntoView();
    place.focus({ preventScroll: true }); // who uses the keyboard goes on from there
  });
  // On paper all parts stand below one another; figures are drawn as wide as they then are.
  let folded = [];
  addEventListener("beforeprint", () => {
    panelsOfPage.forEach((panel) => panel.classList.remove("off"));
    folded = [...document.querySelectorAll(".panel details:not([open]), details.caution:not([open])")];
    for (const one of folded) one.open = true;
    showDevices();
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
    showTab();
  });
  onChange((changed) => {
    if (changed.has("tab")) showTab();
    if (["group", "limits", "floor", "by", "off"].some((name) => changed.has(name))) nameTabs();
  });
}

function showTab() {
  for (const panel of panelsOfPage) {
    const isOn = panel.id === state.tab;
    panel.classList.toggle("off", !isOn);
    const tab = document.getElementById(`tab-${panel.id}`);
    tab.setAttribute("aria-selected", isOn);
    tab.tabIndex = isOn ? 0 : -1;
  }
  if (state.tab === "devices") showDevices();
}

function nameTabs() {
  const { fitting, out } = decision();
  const said = isAsked() ? `${plural(fitting.length, "fits", "fit")}${out ? `, ${plural(out, "does not", "do not")}` : ""}` : groupRows().length.toLocaleString("en");
  const many = isSample() ? "" : ` (${said})`;
  document.getElementById("tab-networks").textContent = `Networks${many}`;
}
