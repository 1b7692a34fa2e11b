// The tables of a search: their heads sort them, their networks open the details.

// By one column; what is unknown comes last, in both directions.
function sortRows(table, place, ascending) {
  const keyOf = (line) => line.cells[place].dataset.key;
  const numeric = table.tHead.rows[0].cells[place].classList.contains("number");
  const lines = [...table.tBodies[0].rows];
  lines.sort((a, b) => {
    const [x, y] = [keyOf(a), keyOf(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const [i, j] = numeric ? [Number(x), Number(y)] : [sortKey(x), sortKey(y)];
    return ascending ? (i > j) - (i < j) : (i < j) - (i > j);
  });
  table.tBodies[0].append(...lines);
}

function setUpSearch() {
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, place, heads) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.setAttribute("aria-sort", place ? "none" : "ascending");
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        sortRows(table, place, ascending);
      });
      head.append(button);
    });
  }
  const known = new Set(rows.map(({ variant }) => variant));
  for (const button of document.querySelectorAll("#search button.variant")) {
    const { variant } = button.dataset;
    if (known.has(variant)) button.addEventListener("click", () => change({ variant }));
    else button.replaceWith(...button.childNodes); // a page of very many rows has a part of them
  }
}
