"use strict";
/* The page's own behaviour: tables by DataTables, filters kept in the URL, a dialog a cell. */

const facts = JSON.parse(document.getElementById("facts").textContent);
const NAMES = { family: "Family", regime: "Regime", task: "Task" };
const SORT = "blanks-last";
const MOST_ROWS = 60; /* a longer table has pages */
const tables = [];
let chosen = readState();

/* Names come from outside: a row has no cell of the task `constructor` but its own. */
function own(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function escape(text) {
  const holder = document.createElement("span");
  holder.textContent = String(text);
  return holder.innerHTML.replaceAll('"', "&quot;");
}

/* ---- the state in the URL: #family=encoder&regime=lora&regime=full&size=...&find=... ---- */

/* What is in the URL; values that are not on this page are passed over. */
function readState() {
  const found = new URLSearchParams(location.hash.slice(1));
  const known = (name) => new Set(found.getAll(name).filter((one) => facts[name].includes(one)));
  const size = found.get("size") || "";
  return {
    family: known("family"),
    regime: known("regime"),
    task: known("task"),
    size: facts.sizes.some((_, at) => String(at) === size) ? size : "",
    find: found.get("find") || "",
    published: found.get("published") === "1",
    sort: found.getAll("sort").filter(isSort),
  };
}

/* `0:3:desc`: the table, the column, the direction. */
function isSort(text) {
  const parts = /^(\d+):(\d+):(asc|desc)$/.exec(text);
  const board = parts && facts.boards[parts[1]];
  return Boolean(board) && Number(parts[2]) < columnsOf(board);
}

function columnsOf(board) {
  return 2 + board.columns.length + (board.ranked ? 2 : 0);
}

function writeState() {
  const out = new URLSearchParams();
  for (const name of Object.keys(NAMES)) for (const one of chosen[name]) out.append(name, one);
  if (chosen.size) out.set("size", chosen.size);
  if (chosen.find) out.set("find", chosen.find);
  if (chosen.published) out.set("published", "1");
  for (const one of chosen.sort) out.append("sort", one);
  const text = out.toString();
  history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
}

/* ---- filters ---- */

function fits(row) {
  if (chosen.family.size && !chosen.family.has(row.family)) return false;
  if (chosen.regime.size && !chosen.regime.has(row.kind)) return false;
  if (chosen.size && String(row.bucket) !== chosen.size) return false;
  return isFound(row.model + " " + row.regime);
}

function isFound(name) {
  const words = chosen.find.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => name.toLowerCase().includes(word));
}

function shows(task) {
  return !chosen.task.size || chosen.task.has(task);
}

function checkboxes(name) {
  const box = document.querySelector(`[data-filter="${name}"]`);
  const list = box.querySelector("div");
  for (const value of facts[name]) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "checkbox";
    input.value = value;
    input.addEventListener("change", () => {
      if (input.checked) chosen[name].add(value);
      else chosen[name].delete(value);
      tell(name);
      update();
    });
    label.append(input, " ", value);
    list.append(label);
  }
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    box.open = false;
    box.querySelector("summary").focus();
  });
  box.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !box.contains(event.relatedTarget)) box.open = false;
  });
}

function tell(name) {
  const some = [...chosen[name]];
  const summary = document.querySelector(`[data-filter="${name}"] summary`);
  summary.textContent = NAMES[name] + ": " + (some.length ? some.join(", ") : "all");
}

/* Bring filters and tables to what is chosen. */
function showState() {
  for (const name of Object.keys(NAMES)) {
    for (const input of document.querySelectorAll(`[data-filter="${name}"] input`))
      input.checked = chosen[name].has(input.value);
    tell(name);
  }
  document.getElementById("size").value = chosen.size;
  document.getElementById("find").value = chosen.find;
  const published = document.getElementById("published");
  if (published) published.checked = chosen.published;
  const orders = tables.map(({ number, usual }) => orderOf(number, usual));
  tables.forEach(({ table }, at) => table.order(orders[at]));
  update();
}

/* ---- tables ---- */

function scoreCell(board, task, row, type) {
  const cell = own(row.cells, task);
  if (!cell) return type === "display" ? "" : NaN;
  if (type !== "display") return cell.value === null ? NaN : cell.value;
  const scale = own(board.scales, task);
  const at = (value) => (100 * (value - scale[0])) / (scale[1] - scale[0] || 1);
  let bar = "";
  if (cell.low !== null && cell.high !== null) {
    const width = Math.max(at(cell.high) - at(cell.low), 1);
    bar =
      `<span class="bar"><i style="left:${at(cell.low)}%;width:${width}%"></i>` +
      `<u style="left:${at(cell.value)}%"></u></span>`;
  }
  const text = cell.best ? `<b>${escape(cell.text)}</b>` : escape(cell.text);
  const marks = cell.marks.length ? `<small class="marks">${escape(cell.marks.join(", "))}</small>` : "";
  const said = [`${cell.text} ${cell.interval}`.trim(), ...cell.marks];
  if (cell.best) said.push("not significantly worse than the best");
  const name = `${row.model}, ${row.regime}, ${task}: ${said.join(", ")}`;
  return (
    `<button class="score" data-cell="${cell.detail}" aria-label="${escape(name)}">${text}${bar}` +
    `<small>${escape(cell.interval)}</small>${marks}</button>`
  );
}

/* A cell that shows a text, and sorts by a value: NaN, which comes last, where there is none. */
function shownAs(text, value) {
  return (_, type, row) => (type === "display" ? text(row) : (value(row) ?? NaN));
}

function nameOf(text, beside) {
  const more = beside ? `<small class="regime">${escape(beside)}</small>` : "";
  return `<span class="name">${escape(text)}${more}</span>`;
}

function buildTable(DataTable, board, number) {
  const columns = [
    /* On a phone the regime stands below the model, and its column is hidden. */
    { title: "model", className: "model", render: shownAs((r) => nameOf(r.model, r.regime), (r) => r.model) },
    { title: "regime", className: "regime", render: shownAs((r) => nameOf(r.regime), (r) => r.regime) },
  ];
  for (const task of board.columns) {
    const metric = own(board.metrics, task) || "";
    columns.push({
      title: `${escape(task)}<small>${escape(metric)}</small>`,
      ariaTitle: `${task} ${metric}`.trim(),
      type: SORT,
      orderSequence: ["desc", "asc"],
      render: (_, type, row) => scoreCell(board, task, row, type),
    });
  }
  if (board.ranked) {
    columns.push({
      title: "mean",
      type: SORT,
      className: "number",
      orderSequence: ["desc", "asc"],
      render: shownAs((r) => escape(r.mean_text), (r) => r.mean),
    });
    columns.push({
      title: "rank<small>1 is best</small>",
      ariaTitle: "rank, 1 is best",
      type: SORT,
      className: "number",
      render: shownAs((r) => escape(r.rank_text), (r) => r.rank),
    });
  }
  for (const column of columns) column.data = null;
  const usual = board.ranked ? [[columns.length - 1, "asc"]] : [];
  const paged = board.rows.length > MOST_ROWS;
  const table = new DataTable(document.getElementById(`board-${number}`), {
    data: board.rows,
    columns,
    order: orderOf(number, usual),
    autoWidth: false,
    deferRender: true,
    paging: paged,
    pageLength: 50,
    info: false,
    searching: true,
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: paged ? "paging" : null },
  });
  table.search.fixed("filters", (_text, row) => fits(row) && board.columns.some((t) => shows(t) && own(row.cells, t)));
  table.on("order.dt", () => {
    const mine = String(number) + ":";
    const now = table.order().map((one) => [one[0], one[1]]);
    const kept = JSON.stringify(now) === JSON.stringify(usual) ? [] : now.map((one) => mine + one.join(":"));
    chosen.sort = chosen.sort.filter((one) => !one.startsWith(mine)).concat(kept);
    writeState();
  });
  tables.push({ table, board, number, usual, paged });
  /* The column of regimes sticks beside that of models, wherever that ends. */
  const head = table.column(0).header();
  const node = table.table().node();
  const width = () => `${head.getBoundingClientRect().width}px`;
  new ResizeObserver(() => node.style.setProperty("--beside", width())).observe(head);
}

function orderOf(number, usual) {
  const wanted = chosen.sort.map((one) => one.split(":")).filter((one) => one[0] === String(number));
  return wanted.length ? wanted.map((one) => [Number(one[1]), one[2]]) : usual;
}

function update() {
  for (const { table, board, number } of tables) {
    board.columns.forEach((task, at) => table.column(2 + at).visible(shows(task), false));
    document.querySelectorAll(`#references-${number} [data-task]`).forEach((node) => {
      node.hidden = !shows(node.dataset.task);
    });
    table.draw();
    const left = table.rows({ search: "applied" }).count();
    document.getElementById(`count-${number}`).textContent = `${left} of ${board.rows.length} rows`;
    const any = board.columns.some(shows);
    document.getElementById(`section-${number}`).hidden = !any;
  }
  updatePublished();
  writeState();
}

/* Published rows have neither size nor family of ours: the other filters are theirs, too. */
function updatePublished() {
  const section = document.getElementById("published-rows");
  if (!section) return;
  section.hidden = !chosen.published;
  for (const cell of section.querySelectorAll("[data-task]")) cell.hidden = !shows(cell.dataset.task);
  for (const row of section.querySelectorAll("[data-model]")) {
    const { model, regime } = row.dataset;
    const scored = [...row.querySelectorAll("[data-task]")].some((cell) => !cell.hidden && cell.textContent);
    const chosenRegime = !chosen.regime.size || chosen.regime.has(regime);
    row.hidden = !(scored && chosenRegime && isFound(`${model} ${regime}`));
  }
}

/* ---- the dialog of a cell ---- */

const dialog = document.getElementById("cell");

function put(parent, tag, text) {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = String(text);
  parent.append(node);
  return node;
}

function pairs(parent, title, values) {
  const known = Object.entries(values || {}).filter(([, value]) => value !== null && value !== "");
  if (!known.length) return;
  put(parent, "h3", title);
  const table = put(parent, "table");
  for (const [name, value] of known) {
    const row = put(table, "tr");
    put(row, "th", name);
    put(row, "td", typeof value === "object" ? JSON.stringify(value) : value);
  }
}

function open(number) {
  const found = facts.details[number];
  const body = document.getElementById("cell-body");
  body.replaceChildren();
  put(body, "h2", found.name).id = "cell-title";
  const score = put(body, "p");
  put(score, "b", found.score);
  score.append(` ${[found.interval, ...found.marks].filter(Boolean).join(", ")}`);
  put(body, "p", found.reason ? `${found.status}: ${found.reason}` : found.status);
  const { command, ...provenance } = found.provenance;
  const whose = found.seeds.length > 1 ? ` of seed ${found.seeds[0][0]}` : "";
  if (command) {
    put(body, "h3", `command${whose}`);
    put(body, "pre", command);
  }
  if (found.seeds.length && found.seeds[0][0] !== null) {
    pairs(body, "score by seed", Object.fromEntries(found.seeds.map(([seed, value]) => [`seed ${seed}`, value])));
  }
  pairs(body, "settings", found.settings);
  pairs(body, `cost${whose}`, { seconds: found.seconds, ...found.cost });
  pairs(body, `counts${whose}`, { ...found.counts, labels_used: found.labels_used });
  pairs(body, "trivial answers", found.baselines);
  if (found.results.length) {
    put(body, "h3", `results${whose}`);
    const table = put(body, "table");
    const head = put(table, "tr");
    for (const name of ["split", "subset", "prompt", "metric", "score", "norm", "value", "low", "high", "n"])
      put(head, "th", name);
    for (const one of found.results) {
      const row = put(table, "tr");
      for (const value of one) put(row, "td", value === null ? "-" : value);
    }
    if (found.more_results) put(body, "p", `and ${found.more_results} more in the record`);
  }
  found.texts.forEach((one, at) => pairs(body, `wrong answer ${at + 1}`, one));
  pairs(body, `provenance${whose}`, provenance);
  pairs(body, "keys", Object.fromEntries(found.keys.map((key, at) => [whose ? `seed ${found.seeds[at][0]}` : "record", key])));
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const cell = event.target.closest("[data-cell]");
  if (cell) open(Number(cell.dataset.cell));
  const jump = event.target.closest("[data-jump]");
  if (jump) {
    event.preventDefault(); /* the part of the URL behind # is the filters' */
    const section = document.querySelector(jump.getAttribute("href"));
    const target = section.querySelector("h2:not([hidden] h2)") || section;
    target.tabIndex = -1;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }
  for (const box of document.querySelectorAll(".filters details[open]"))
    if (!box.contains(event.target)) box.open = false;
});
document.getElementById("cell-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

/* Marks say what they are to a pointer, too. */
for (const mark of document.querySelectorAll('.plot [role="graphics-symbol"][aria-label]')) {
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  title.textContent = mark.getAttribute("aria-label");
  mark.append(title);
}

async function start() {
  for (const name of Object.keys(NAMES)) checkboxes(name);
  const size = document.getElementById("size");
  facts.sizes.forEach((name, at) => size.append(new Option(name, String(at))));
  size.addEventListener("change", () => {
    chosen.size = size.value;
    update();
  });
  const find = document.getElementById("find");
  find.addEventListener("input", () => {
    chosen.find = find.value;
    update();
  });
  const published = document.getElementById("published");
  if (published) {
    published.addEventListener("change", () => {
      chosen.published = published.checked;
      update();
    });
  }
  document.getElementById("reset").addEventListener("click", () => {
    history.replaceState(null, "", location.pathname + location.search);
    restore();
  });
  window.addEventListener("hashchange", restore);
  const source = atob(document.getElementById("datatables").textContent.trim());
  const bytes = Uint8Array.from(source, (letter) => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  const { default: DataTable } = await import(url);
  URL.revokeObjectURL(url);
  for (const [way, sign] of [["asc", 1], ["desc", -1]]) {
    DataTable.ext.type.order[`${SORT}-${way}`] = (a, b) =>
      Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : sign * (a - b);
  }
  facts.boards.forEach((board, number) => buildTable(DataTable, board, number));
  showState();
  document.documentElement.dataset.ready = "yes";
}

function restore() {
  chosen = readState();
  showState();
}

/* Paper has no pages of a table: all rows are printed. */
let shortened = [];
window.addEventListener("beforeprint", () => {
  shortened = tables
    .filter(({ paged }) => paged)
    .map(({ table }) => ({ table, length: table.page.len(), page: table.page() }));
  for (const { table } of shortened) table.page.len(-1).draw(false);
});
window.addEventListener("afterprint", () => {
  for (const { table, length, page } of shortened) table.page.len(length).page(page).draw("page");
  shortened = [];
});

/* Headings that are jumped to stand below the bar of filters where that sticks. */
const bar = document.querySelector(".filters");
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--filters", `${bar.offsetHeight}px`);
}).observe(bar);

start();
