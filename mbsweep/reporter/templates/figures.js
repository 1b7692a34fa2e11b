// The figures that come drawn: fitted to their place and the theme, each drawn when it comes near.

const NARROW = 640; // pixels: one panel under the other
const MIDDLING = 1050; // too narrow for three panels in a row
const panelsOf = (layout) => Object.keys(layout).filter((name) => name.startsWith("xaxis") && layout[name].title);

// Move the panels of a figure into so many columns.
function arrange(layout, columns, height) {
  const GAP = 0.1; // of the width, between two columns
  const panels = panelsOf(layout); // no empty cell
  const lines = (layout.annotations ?? []).map((title) => title.text.split("<br>").length);
  const slot = height + 65 + Math.max(60, ...lines.map((n) => 18 * n)); // an axis below, the next panel's title
  const rows = Math.ceil(panels.length / columns);
  const inner = slot * rows;
  const width = (1 - GAP * (columns - 1)) / columns;
  panels.forEach((name, place) => {
    const top = 1 - Math.floor(place / columns) / rows;
    const left = (place % columns) * (width + GAP);
    layout[name].domain = [left, left + width];
    layout[name.replace("x", "y")].domain = [top - height / inner, top];
    const title = layout.annotations?.[place];
    if (title) Object.assign(title, { x: left, xanchor: "left", align: "left", y: top });
  });
  layout.height = layout.margin.t + inner + layout.margin.b;
  return { inner, below: slot - height };
}

// A copy of a figure for a window that is too narrow for three columns.
function paired({ data, layout }) {
  const slim = structuredClone(layout);
  const { inner, below } = arrange(slim, 2, 290);
  slim.legend.y = (below - 80) / inner;
  return { data, layout: slim };
}

// A copy of a figure for a narrow window: one panel under the other, the colour bar below them.
function stacked({ data, layout }) {
  const slim = structuredClone(layout);
  slim.margin = { ...slim.margin, l: 45, r: 10, b: 80 };
  const { inner, below } = arrange(slim, 1, 280);
  for (const title of slim.annotations ?? []) title.font.size = 11;
  const hasBar = data.some((trace) => trace.marker?.coloraxis);
  slim.font.size = 11;
  slim.hoverlabel.font.size = 10;
  const free = (below - 65) / inner; // below the last axis
  slim.legend.y = hasBar ? -10 / inner : free;
  const bar = { orientation: "h", x: 0.5, xanchor: "center", y: free, yanchor: "top", len: 0.9, lenmode: "fraction" };
  Object.assign(slim.coloraxis.colorbar, bar, { title: { text: slim.coloraxis.colorbar.title.text, side: "top" } });
  return { data, layout: slim };
}

// With the colours of the page.
function themed(layout) {
  Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" });
  layout.font.color = tone("--ink");
  const lines = { gridcolor: tone("--line"), zerolinecolor: tone("--line"), linecolor: tone("--line"), tickcolor: tone("--muted") };
  for (const [name, axis] of Object.entries(layout)) if (/^[xy]axis/.test(name)) Object.assign(axis, lines);
  return layout;
}

// Mark the chosen variant in every panel.
function mark(element) {
  const marks = [];
  const at = (axis, value) => (element._fullLayout[axis.replace(/^[xy]/, "$&axis")].type === "log" ? Math.log10(value) : value);
  for (const { customdata, meta, x, y, xaxis: xref = "x", yaxis: yref = "y" } of element._fullData) {
    customdata?.forEach(([variant], place) => {
      if (variant !== state.variant || (meta?.mark === "last" && place < x.length - 1)) return;
      const ring = { text: "◯", showarrow: false, font: { size: 24, color: tone("--accent") } };
      marks.push({ name: "chosen", x: at(xref, x[place]), y: at(yref, y[place]), xref, yref, ...ring });
    });
  }
  const before = element.layout.annotations ?? [];
  const others = before.filter(({ name }) => name !== "chosen");
  if (marks.length || others.length < before.length) Plotly.relayout(element, { annotations: [...others, ...marks] });
}

function setUpFigure(element) {
  const figure = JSON.parse(element.nextElementSibling.textContent);
  if (!hasWebgl) {
    for (const trace of figure.data) if (trace.type === "scattergl") trace.type = "scatter"; // slower, but there
  }
  const many = new Set(panelsOf(figure.layout).map((name) => figure.layout[name].domain[0])).size > 2;
  const fitting = () => (element.clientWidth < NARROW ? stacked : many && element.clientWidth < MIDDLING ? paired : structuredClone);
  let drawn = null; // as what it was drawn
  const draw = async () => {
    drawn = fitting();
    const { data, layout } = drawn(figure);
    element.style.height = `${layout.height}px`;
    Plotly.purge(element); // else an upright colour bar stays behind a lying one
    await Plotly.newPlot(element, structuredClone(data), themed(layout), { displaylogo: false, displayModeBar: false });
    await chooseTicks(element);
    mark(element);
    element.on("plotly_relayout", () => chooseTicks(element));
    element.on("plotly_click", ({ points: [{ customdata }] }) => customdata && change({ variant: customdata[0] }));
    element.classList.add("drawn");
  };
  const near = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && !drawn && draw(), { rootMargin: "300px" });
  near.observe(element);
  new ResizeObserver(() => drawn && element.clientWidth && (drawn === fitting() ? refit(element) : draw())).observe(element);
  addEventListener("beforeprint", () => drawn || draw());
  onChange((changed) => {
    if (!drawn) return;
    if (changed.has("theme")) draw();
    else if (changed.has("variant")) mark(element);
  });
  for (const format of ["png", "svg"]) {
    const button = document.querySelector(`button[data-figure="${element.id}"][data-format="${format}"]`);
    button.addEventListener("click", async () => {
      if (!drawn) await draw();
      savePicture(element, format, element.id);
    });
  }
}

// To its place, where that has another size now: to draw a figure gives its place a size, too.
function refit(element) {
  const { width, height } = element._fullLayout;
  const isFitted = Math.abs(width - element.clientWidth) < 1 && Math.abs(height - element.clientHeight) < 1;
  if (!isFitted) Plotly.Plots.resize(element);
}

async function savePicture(element, format, name, { data = element.data, layout = {}, more = 0 } = {}) {
  const width = Math.max(Math.round(element.getBoundingClientRect().width), 700);
  const figure = { data, layout: { ...element.layout, ...layout, paper_bgcolor: tone("--paper") } };
  const size = { width, height: Math.round(element._fullLayout.height) + more, scale: format === "png" ? 2 : 1 };
  download(`${document.title} ${name}.${format}`, await Plotly.toImage(figure, { format, ...size }));
}
