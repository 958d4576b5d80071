"use strict";
const collator = new Intl.Collator("en", { numeric: true });
for (const section of document.querySelectorAll("section[data-table]")) {
  const table = section.querySelector("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];

  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest(".sort");
    if (!button) return;
    const heading = button.closest("th");
    const column = heading.cellIndex;
    const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    // Unknown values are last in either order.
    const sorted = rows.map((row) => [value(row), row]).sort(([a], [b]) =>
      (a === "") - (b === "") || sign * collator.compare(a, b));
    body.append(...sorted.map(([, row]) => row));
  });

  const search = section.querySelector("input[type=search]");
  if (!search) continue;
  const selects = [...section.querySelectorAll("select[data-key]")];
  const shown = section.querySelector("output");
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of rows) {
      const fits = words.every((word) => texts.get(row).includes(word))
        && selects.every(({ value, dataset }) => value === "" || row.dataset[dataset.key].split(" ").includes(value));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = `${count} shown`;
  };
  search.addEventListener("input", apply);
  for (const select of selects) select.addEventListener("change", apply);
  // A browser that comes back to the page fills the fields in again.
  apply();
}
document.addEventListener("click", (event) => {
  const thumbnail = event.target.closest(".thumbnail");
  if (thumbnail) thumbnail.setAttribute("aria-pressed", thumbnail.getAttribute("aria-pressed") !== "true");
});
