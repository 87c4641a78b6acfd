"use strict";
/* The page's own behaviour: tables by DataTables, filters kept in the URL, a dialog a cell. */

const facts = JSON.parse(document.getElementById("facts").textContent);
const NAMES = { family: "Family", regime: "Regime", task: "Task" };
const chosen = readState();

function escape(text) {
  const holder = document.createElement("span");
  holder.textContent = String(text);
  return holder.innerHTML.replaceAll('"', "&quot;");
}

/* ---- the state in the URL: #family=encoder&regime=lora&regime=full&size=...&find=... ---- */

function readState() {
  const found = new URLSearchParams(location.hash.slice(1));
  return {
    family: new Set(found.getAll("family")),
    regime: new Set(found.getAll("regime")),
    task: new Set(found.getAll("task")),
    size: found.get("size") || "",
    find: found.get("find") || "",
    published: found.get("published") === "1",
    sort: found.getAll("sort"),
  };
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
  const words = chosen.find.toLowerCase().split(/\s+/).filter(Boolean);
  const name = (row.model + " " + row.regime).toLowerCase();
  return words.every((word) => name.includes(word));
}

function shows(task) {
  return !chosen.task.size || chosen.task.has(task);
}

function checkboxes(name) {
  const box = document.querySelector(`[data-filter="${name}"]`);
  const summary = box.querySelector("summary");
  const list = box.querySelector("div");
  for (const value of facts[name]) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "checkbox";
    input.value = value;
    input.checked = chosen[name].has(value);
    input.addEventListener("change", () => {
      if (input.checked) chosen[name].add(value);
      else chosen[name].delete(value);
      tell();
      update();
    });
    label.append(input, " ", value);
    list.append(label);
  }
  function tell() {
    const some = [...chosen[name]];
    summary.textContent = NAMES[name] + ": " + (some.length ? some.join(", ") : "all");
  }
  tell();
}

/* ---- tables ---- */

const tables = [];

function scoreCell(board, task, row, type) {
  const cell = row.cells[task];
  if (!cell) return type === "display" ? "" : -Infinity;
  if (type !== "display") return cell.value === null ? -Infinity : cell.value;
  const scale = board.scales[task];
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
  const best = cell.best ? ", not significantly worse than the best" : "";
  const name = `${row.model}, ${row.regime}, ${task}: ${cell.text} ${cell.interval}${best}`;
  return (
    `<button class="score" data-cell="${cell.detail}" aria-label="${escape(name)}">${text}${bar}` +
    `<small>${escape(cell.interval)}</small>${marks}</button>`
  );
}

function plainNumber(text, value) {
  return (_, type, row) => (type === "display" ? escape(text(row)) : value(row));
}

function buildTable(DataTable, $, board, number) {
  const columns = [
    { title: "model", data: "model", render: plainNumber((r) => r.model, (r) => r.model) },
    { title: "regime", data: "regime", render: plainNumber((r) => r.regime, (r) => r.regime) },
  ];
  for (const task of board.columns) {
    columns.push({
      title: `${escape(task)}<small>${escape(board.metrics[task] || "")}</small>`,
      data: null,
      name: task,
      orderSequence: ["desc", "asc"],
      render: (_, type, row) => scoreCell(board, task, row, type),
    });
  }
  if (board.ranked) {
    columns.push({
      title: "mean",
      data: null,
      className: "dt-right",
      orderSequence: ["desc", "asc"],
      render: plainNumber((r) => r.mean_text, (r) => (r.mean === null ? -Infinity : r.mean)),
    });
    columns.push({
      title: "rank<small>1 is best</small>",
      data: null,
      className: "dt-right",
      render: plainNumber((r) => r.rank_text, (r) => (r.rank === null ? Infinity : r.rank)),
    });
  }
  const wanted = chosen.sort.map((one) => one.split(":")).filter((one) => one[0] === String(number));
  const usual = board.ranked ? [[columns.length - 1, "asc"]] : [];
  const order = wanted.length
    ? wanted.map((one) => [Number(one[1]), one[2]]).filter((one) => one[0] < columns.length)
    : usual;
  const table = new DataTable(document.getElementById(`board-${number}`), {
    data: board.rows,
    columns,
    order,
    autoWidth: false,
    deferRender: true,
    paging: board.rows.length > 60,
    pageLength: 50,
    info: false,
    searching: true,
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: board.rows.length > 60 ? "paging" : null },
  });
  table.search.fixed("filters", (_text, row) => fits(row) && board.columns.some((t) => shows(t) && row.cells[t]));
  table.on("order.dt", () => {
    const mine = String(number) + ":";
    const now = table.order().map((one) => [one[0], one[1]]);
    const kept = JSON.stringify(now) === JSON.stringify(usual) ? [] : now.map((one) => mine + one.join(":"));
    chosen.sort = chosen.sort.filter((one) => !one.startsWith(mine)).concat(kept);
    writeState();
  });
  tables.push({ table, board, number });
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
  const published = document.getElementById("published-rows");
  if (published) published.hidden = !chosen.published;
  writeState();
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
  put(body, "p", found.reason ? `${found.status}: ${found.reason}` : found.status);
  if (found.provenance.command) {
    put(body, "h3", "command");
    put(body, "pre", found.provenance.command);
  }
  const { command, ...provenance } = found.provenance;
  if (found.seeds.length && found.seeds[0][0] !== null) {
    pairs(body, "score by seed", Object.fromEntries(found.seeds.map(([seed, value]) => [`seed ${seed}`, value])));
  }
  pairs(body, "settings", found.settings);
  pairs(body, "cost", { seconds: found.seconds, ...found.cost });
  pairs(body, "counts", { ...found.counts, labels_used: found.labels_used });
  pairs(body, "trivial answers", found.baselines);
  if (found.results.length) {
    put(body, "h3", "results");
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
  pairs(body, "provenance", { ...provenance, keys: found.keys.join(", ") });
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const cell = event.target.closest("[data-cell]");
  if (cell) open(Number(cell.dataset.cell));
  const jump = event.target.closest("[data-jump]");
  if (jump) {
    event.preventDefault(); /* the part of the URL behind # is the filters' */
    document.querySelector(jump.getAttribute("href")).scrollIntoView();
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
  size.value = chosen.size;
  size.addEventListener("change", () => {
    chosen.size = size.value;
    update();
  });
  const find = document.getElementById("find");
  find.value = chosen.find;
  find.addEventListener("input", () => {
    chosen.find = find.value;
    update();
  });
  const published = document.getElementById("published");
  if (published) {
    published.checked = chosen.published;
    published.addEventListener("change", () => {
      chosen.published = published.checked;
      update();
    });
  }
  document.getElementById("reset").addEventListener("click", () => {
    history.replaceState(null, "", location.pathname + location.search);
    location.reload();
  });
  const source = atob(document.getElementById("datatables").textContent.trim());
  const bytes = Uint8Array.from(source, (letter) => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  const { default: DataTable, jQuery } = await import(url);
  URL.revokeObjectURL(url);
  facts.boards.forEach((board, number) => buildTable(DataTable, jQuery, board, number));
  update();
  document.documentElement.dataset.ready = "yes";
}

start();
