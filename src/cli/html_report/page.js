"use strict";
for (const table of document.querySelectorAll("table[data-sortable]")) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest(".sort");
    if (!button) return;
    const heading = button.closest("th");
    const column = heading.cellIndex;
    const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const text = (row) => row.cells[column].textContent;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => sign * text(a).localeCompare(text(b), "en", { numeric: true }));
    table.tBodies[0].append(...rows);
  });
}
const filter = document.getElementById("filter");
if (filter) {
  const decision = document.getElementById("decision");
  const shown = document.getElementById("shown");
  const rows = [...document.getElementById("lines").tBodies[0].rows];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of rows) {
      const fits = words.every((word) => texts.get(row).includes(word));
      row.hidden = !fits || (decision.value !== "" && row.dataset.decision !== decision.value);
      if (!row.hidden) count += 1;
    }
    shown.textContent = `${count} shown`;
  };
  filter.addEventListener("input", apply);
  decision.addEventListener("change", apply);
}
document.addEventListener("click", (event) => {
  const thumbnail = event.target.closest(".thumbnail");
  if (thumbnail) thumbnail.setAttribute("aria-pressed", thumbnail.getAttribute("aria-pressed") !== "true");
});
