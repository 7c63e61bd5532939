
"use strict";
// Headings become buttons that sort their table; without this script the tables are simply not sortable.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const headings = Array.from(table.tHead.rows[0].cells);
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const figures = heading.classList.contains("figure");
      const before = heading.getAttribute("aria-sort");
      // Figures are looked at from the largest, words from the first.
      const ascending = before ? before === "descending" : !figures;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value;
      const compare = (one, other) => {
        const [a, b] = [value(one), value(other)];
        if (a === undefined && b === undefined) {
          const order = one.cells[column].textContent.localeCompare(other.cells[column].textContent, "en");
          return ascending ? order : -order;
        }
        // Unknown values stay at the end in either order.
        if (a === undefined) return 1;
        if (b === undefined) return -1;
        return ascending ? a - b : b - a;
      };
      body.append(...Array.from(body.rows).sort(compare));
    });
  });
}
// Paper cannot be unfolded.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
