"use strict";
const PAGE = 100;
// The fields of a row, in the order that the command writes them.
const [THUMBNAIL, SOURCE, DECISION, OUTCOME, FORMAT, WIDTH, HEIGHT, BYTES, REASONS] = Array(9).keys();
const TONES = { accept: "good", pass: "good", reject: "bad", block: "bad", inconclusive: "unsure", review: "unsure", undecided: "unsure" };
const collator = new Intl.Collator("en", { numeric: true });
const section = document.getElementById("images");
const table = section.querySelector("table");

const grouped = (number) => String(number ?? "").replace(/\B(?=(\d{3})+$)/g, "\u202f");

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function start() {
  const rest = document.getElementById("rest");
  let lines = document.getElementById("rows").textContent.split("\n");
  const total = lines.length + Number(rest?.dataset.count ?? 0);
  const search = section.querySelector("input[type=search]");
  const selects = [...section.querySelectorAll("select[data-key]")];
  const sort = section.querySelector("select[data-sort]");
  const shown = section.querySelector("output");
  const pages = section.querySelector("nav");
  const headings = [...table.tHead.querySelectorAll("th")];
  const hasImages = headings.length > 7;
  let rows;    // parsed when something needs all of them
  let texts;   // their text, to search in
  let view;    // the rows that fit, in order; absent while that is all of them as listed
  let page = 0;
  let loading;

  // The rows after the first page are compressed, so that the page opens at once.
  const load = () => loading ??= unpack();
  async function unpack() {
    if (!rest) return;
    const bytes = Uint8Array.from(atob(rest.textContent), (byte) => byte.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    lines = lines.concat((await new Response(stream).text()).split("\n"));
    rest.remove();
  }

  const all = () => rows ??= JSON.parse(`[${lines.join(",")}]`);
  const count = () => view?.length ?? total;
  const slice = (from, to) => view?.slice(from, to) ?? lines.slice(from, to).map((line) => JSON.parse(line));

  const values = {
    source: (row) => row[SOURCE],
    decision: (row) => row[DECISION],
    outcome: (row) => row[OUTCOME],
    reasons: (row) => row[REASONS].map(([code, , message]) => `${code} ${message}`).join(" "),
    format: (row) => row[FORMAT],
    pixels: (row) => row[WIDTH] === null || row[HEIGHT] === null ? "" : row[WIDTH] * row[HEIGHT],
    bytes: (row) => row[BYTES] ?? "",
  };
  const has = {
    decision: (row, name) => row[DECISION] === name,
    outcome: (row, name) => row[OUTCOME] === name,
    code: (row, name) => row[REASONS].some(([code, rejects]) => rejects && code === name),
  };
  const text = (row) => [row[SOURCE], row[DECISION], row[OUTCOME], row[FORMAT], row[WIDTH], row[HEIGHT], row[BYTES], values.reasons(row)]
    .join(" ").toLowerCase();

  function fitting() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = selects.filter(({ value }) => value !== "");
    if (words.length === 0 && chosen.length === 0) return all().slice();
    if (words.length > 0) texts ??= all().map(text);
    return all().filter((row, at) => words.every((word) => texts[at].includes(word))
      && chosen.every(({ value, dataset }) => has[dataset.key](row, value)));
  }

  async function apply() {
    await load();
    view = fitting();
    const [key, order] = sort.value.split(" ");
    for (const heading of headings) {
      const isSorted = key && heading.querySelector(".sort")?.dataset.key === key;
      if (isSorted) heading.setAttribute("aria-sort", order);
      else heading.removeAttribute("aria-sort");
    }
    if (key) {
      const sign = order === "ascending" ? 1 : -1;
      const compare = key === "pixels" || key === "bytes" ? (a, b) => a - b : collator.compare;
      // Unknown values are last in either order.
      view = view.map((row) => [values[key](row), row])
        .sort(([a], [b]) => (a === "") - (b === "") || sign * compare(a, b))
        .map(([, row]) => row);
    }
    page = 0;
    show();
  }

  function show() {
    const [from, to] = [page * PAGE, Math.min((page + 1) * PAGE, count())];
    table.tBodies[0].replaceChildren(...slice(from, to).map(row));
    const of = count() === total ? grouped(count()) : `${grouped(count())} that fit, of ${grouped(total)}`;
    shown.textContent = count() === 0 ? `none of ${grouped(total)} fits` : `${grouped(from + 1)} to ${grouped(to)} of ${of}`;
    const last = Math.max(0, Math.ceil(count() / PAGE) - 1);
    pages.hidden = last === 0;
    for (const button of pages.children) {
      const isBack = ["first", "previous"].includes(button.dataset.step);
      button.setAttribute("aria-disabled", String(page === (isBack ? 0 : last)));
    }
  }

  function row(data) {
    const cell = (name, ...children) => make("td", { role: "cell", class: name, "data-label": name }, ...children);
    const word = (name) => make("span", TONES[name] ? { class: "word", "data-tone": TONES[name] } : { class: "word" }, name);
    const cells = [
      cell("source", data[SOURCE]),
      cell("decision", word(data[DECISION])),
      cell("outcome", word(data[OUTCOME])),
      cell("reasons", ...data[REASONS].map(([code, rejects, message]) =>
        make("div", { class: rejects ? "reason" : "reason warns" }, ...(code ? [make("code", {}, code), " "] : []), message))),
      cell("format", data[FORMAT]),
      cell("pixels", data[WIDTH] === null ? "" : `${grouped(data[WIDTH])} × ${grouped(data[HEIGHT])}`),
      cell("bytes", grouped(data[BYTES])),
    ];
    if (hasImages) cells.unshift(cell("image", ...(data[THUMBNAIL] ? [thumbnail(data[SOURCE])] : [])));
    return make("tr", { role: "row" }, ...cells);
  }

  function thumbnail(source) {
    const image = make("img", { alt: "", loading: "lazy", width: 96, height: 96, src: source });
    const button = make("button", { class: "thumbnail", type: "button", "aria-label": "show the image", "aria-pressed": "false" }, image);
    button.addEventListener("click", () =>
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true")));
    return button;
  }

  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest(".sort");
    if (!button) return;
    const isAscending = button.closest("th").getAttribute("aria-sort") === "ascending";
    sort.value = `${button.dataset.key} ${isAscending ? "descending" : "ascending"}`;
    apply();
  });
  pages.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button || button.getAttribute("aria-disabled") === "true") return;
    await load();
    const last = Math.ceil(count() / PAGE) - 1;
    page = { first: 0, previous: page - 1, next: page + 1, last }[button.dataset.step];
    show();
    section.scrollIntoView();
  });
  search.addEventListener("input", apply);
  for (const select of [...selects, sort]) select.addEventListener("change", apply);
  show();
}

if (table) start();
