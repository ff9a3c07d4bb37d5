// What is chosen (step, sample, which spaces), and what follows from it.
"use strict";

const byId = (id) => document.getElementById(id);
const runs = readRuns();
const steps = stepsOf(runs);
const isRunning = document.documentElement.dataset.running === "true";
const written = new Date(document.documentElement.dataset.written);
const PICTURES = ["tangents", "reconstructions"];

// Kept over the reloads of a page whose run goes on.
const KEY = `keras_manifold ${location.pathname}`;
const state = { step: steps.at(-1), follow: true, sample: 0, tangents: null, reconstructions: null };

function restore() {
  try {
    Object.assign(state, JSON.parse(sessionStorage.getItem(KEY)));
  } catch {
    // Without storage, a reload begins at the last look.
  }
  if (state.follow) state.step = steps.at(-1);
  if (!steps.includes(state.step)) state.step = steps.findLast((s) => s <= state.step) ?? steps[0];
  for (const kind of PICTURES) {
    const names = namesIn(runs, kind);
    if (!names.includes(state[kind])) state[kind] = names[0];
  }
  state.sample = Math.max(0, Math.min(state.sample, samplesShown() - 1));
}

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const looksOf = (kind) => runs.map((run) => run[kind][state[kind]]);
const position = () => steps.indexOf(state.step);

function samplesShown() {
  return d3.max(looksOf("tangents"), (looks) => d3.max(looks ?? [], (look) => look.pictures.rows)) ?? 0;
}

// --- The head of the page ---------------------------------------------------------------

function showHead() {
  const last = steps.at(-1);
  const facts = [];
  if (runs.length > 1) facts.push(plural(runs.length, "run"));
  const word = PICTURES.some((kind) => state[kind]) ? "look" : "epoch";
  if (last !== undefined) facts.push(`${plural(steps.length, word)}, the last ${word === "look" ? "at epoch " : ""}${last}`);
  facts.push(`written ${written.toLocaleString()}`);
  if (isRunning) facts.push("the run goes on, this page loads itself again");
  byId("facts").textContent = `${facts.join(" · ")}.`;
  byId("written").textContent = written.toLocaleString();
  byId("summary").textContent = runs.length > 1 ? comparison() : changes(runs[0]);
  const unreadable = runs.flatMap((run) => run.unreadable);
  byId("notes").hidden = unreadable.length === 0;
  byId("notes").textContent =
    `Could not be read: ${unreadable.slice(0, 5).join(", ")}${unreadable.length > 5 ? " and others" : ""}.`;
  for (const box of document.querySelectorAll(".runs")) box.classList.toggle("alone", runs.length === 1);
  byId("legend").hidden = runs.length === 1;
  byId("legend").replaceChildren(...runs.map((run, i) => element("li", {}, runName(run, i))));
}

function runName(run, index) {
  const name = element("span", { class: "run-name", "data-letter": letterOf(index) }, run.label);
  name.style.setProperty("--colour", colourOf(index));
  return name;
}

function ends(run, name) {
  const values = [...(run.scalars[name] ?? [])].filter(([, value]) => value != null);
  return values.length ? { first: values[0], last: values.at(-1) } : null;
}

// What training did, in a sentence.
function changes(run) {
  const told = [];
  for (const name of ["val_loss", "loss", `${state.tangents}_dimension`, `${state.tangents}_norm`]) {
    const found = ends(run, name);
    if (!found || found.first[0] === found.last[0]) continue;
    if (name === "loss" && told.length) continue;
    const words = { val_loss: "validation loss", loss: "loss" }[name] ?? inWords(name);
    const verb = found.last[1] < found.first[1] ? "fell" : "rose";
    told.push(`${words} ${verb} from ${formatted(found.first[1])} to ${formatted(found.last[1])}`);
  }
  if (!told.length) return "";
  const text = `${told.slice(0, -1).join(", ")}${told.length > 1 ? " and " : ""}${told.at(-1)}.`;
  return text[0].toUpperCase() + text.slice(1);
}

function comparison() {
  const told = [];
  for (const [name, words] of [["val_loss", "validation loss"], [`${state.tangents}_dimension`, `${inWords(state.tangents ?? "")} dimension`]]) {
    const found = runs.map((run) => ({ run, end: ends(run, name)?.last })).filter(({ end }) => end);
    if (found.length < 2) continue;
    const values = d3.sort(found, ({ end }) => end[1]).map(({ run, end }) => `${formatted(end[1])} (${run.label})`);
    told.push(`${words} ends at ${values.slice(0, -1).join(", ")} and ${values.at(-1)}`);
  }
  return told.map((text) => `${text[0].toUpperCase()}${text.slice(1)}.`).join(" ");
}

// --- Tangent vectors --------------------------------------------------------------------

function showSamples() {
  const looks = looksOf("tangents").find(Boolean);
  byId("tangents").hidden = byId("spectrum").hidden = !looks;
  if (!looks) return;
  const sources = samplePictures(looks.at(-1));
  const labels = d3.range(samplesShown()).map((sample) => {
    const input = element("input", { type: "radio", name: "sample", value: sample, id: `sample-${sample}` });
    input.checked = sample === state.sample;
    input.setAttribute("aria-label", `Sample ${sample + 1}`);
    input.addEventListener("change", () => choose({ sample }));
    const label = element("label", {}, input);
    if (sample < (sources.isInput ? sources.sprite.columns : sources.sprite.rows)) {
      const tile = newTile(sources.sprite, "");
      tile.setAttribute("aria-hidden", "true");
      drawTile(tile, sources.sprite, ...(sources.isInput ? [0, sample] : [sample, 0]));
      label.append(tile);
    }
    label.append(element("span", { "aria-hidden": "true" }, String(sample + 1)));
    return label;
  });
  byId("samples").querySelector("div").replaceChildren(...labels);
  const all = looks.at(-1).samples;
  const legend = all > labels.length ? `Sample, the first ${labels.length} of ${all}` : "Sample";
  byId("samples").querySelector("legend").textContent = legend;
  byId("samples").querySelector(".note").textContent = sources.note ?? "";
  byId("samples").hidden = labels.length < 2 && !sources.isInput;
}

// Pictures of the samples: from the file of the looks itself, or else the inputs of the
// reconstructions if they can be the same samples, or else the first tangent vectors.
function samplePictures(look) {
  if (look.inputs) return { sprite: look.inputs, isInput: true };
  const grid = Object.values(runs.find((run) => run.tangents[state.tangents]).reconstructions)[0]?.[0];
  const isAlike = grid && ["image", "channels", "height", "width"].every((key) => grid.pictures[key] === look.pictures[key]);
  if (isAlike) {
    return { sprite: grid.pictures, isInput: true, note: "Pictures: inputs of the reconstructions, taken to be the same samples." };
  }
  return { sprite: look.pictures, isInput: false, note: "Pictures: the first tangent vector of each." };
}

function lookNote(look) {
  return look.step === state.step ? "" : ` Look of epoch ${look.step}.`;
}

async function tangentColumns() {
  const shown = looksOf("tangents").map((looks) => lookAt(looks, state.step));
  // One scale for all runs.
  const limit = d3.max(shown, (look) => look?.pictures.ranges[state.sample]?.[1]);
  return Promise.all(shown.map((look, index) => tangentColumn(look, index, limit)));
}

async function tangentColumn(look, index, limit) {
  const column = element("div");
  if (runs.length > 1) column.append(element("h3", {}, runName(runs[index], index)));
  if (!look || state.sample >= look.pictures.rows) {
    column.append(element("p", { class: "note" }, "No look at this sample yet."));
    return column;
  }
  const { pictures } = look;
  const values = look.singular_values[state.sample];
  const list = element("ol", { class: pictures.image ? "vectors" : "vectors of-series" });
  const drawn = d3.range(pictures.columns).map((i) => {
    const tile = newTile(pictures, `Tangent vector ${i + 1} of sample ${state.sample + 1}, singular value ${formatted(values[i])}`);
    const caption = element("span", {}, `σ${subscript(i + 1)} `, element("data", { value: String(values[i]) }, formatted(values[i])));
    list.append(element("li", {}, tile, caption));
    return drawTile(tile, pictures, state.sample, i, [-limit, limit]);
  });
  column.append(list, scaleBar(pictures, limit));
  const notes = [];
  if (look.vectors > pictures.columns) notes.push(`The first ${pictures.columns} of ${look.vectors} vectors.`);
  if (pictures.every > 1) notes.push(`Every ${pictures.every}${pictures.every === 2 ? "nd" : pictures.every === 3 ? "rd" : "th"} entry is shown.`);
  const note = notes.join(" ") + lookNote(look);
  if (note) column.append(element("p", { class: "note" }, note));
  await Promise.all(drawn);
  return column;
}

function scaleBar(pictures, limit) {
  const label = `±${formatted(limit)}`;
  if (!pictures.image || pictures.channels === 3) {
    return element("p", { class: "scale" }, `Scale: ${label}${pictures.image ? ", zero is grey" : ""}`);
  }
  const bar = element("canvas", { role: "img", "aria-label": `Scale of the colours, ${label}; negative blue, positive red` });
  drawScale(bar);
  return element("div", { class: "scale" }, `−${formatted(limit)}`, bar, `+${formatted(limit)}`);
}

const subscript = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

// --- Spectrum ---------------------------------------------------------------------------

function spectrumColumns(width) {
  const name = state.tangents;
  const domain = spectrumDomain(runs, name);
  return runs.map((run, index) => {
    const look = lookAt(run.tangents[name], state.step);
    const figure = element("figure");
    if (runs.length > 1) figure.append(element("h3", {}, runName(run, index)));
    if (!look) {
      figure.append(element("p", { class: "note" }, "No look yet."));
      return figure;
    }
    const first = run.tangents[name][0];
    const colour = colourOf(index);
    const entries = [[`sample ${state.sample + 1}`, colour]];
    if (look.samples > 1) entries.push([`mean of ${plural(look.samples, "sample")} (band: range)`, colour, true]);
    if (first !== look) entries.push([`sample ${state.sample + 1} at epoch ${first.step}`, "var(--quiet)"]);
    const label = `Singular values at epoch ${look.step}, from ${formatted(look.mean[0])} to ${formatted(look.mean.at(-1))} in the mean`;
    const chart = spectrumChart(look, first, { width, domain, sample: state.sample, colour, label });
    figure.append(key(entries), element("div", { class: "chart" }, chart));
    const cut = look.values > look.mean.length ? `The first ${look.mean.length} of ${look.values} values.` : "";
    if (cut || lookNote(look)) figure.append(element("figcaption", {}, cut + lookNote(look)));
    return figure;
  });
}

function key(entries) {
  return element("ul", { class: "key" }, ...entries.map(([text, colour, isDashed]) => {
    const dash = isDashed ? ` stroke-dasharray="5 3"` : "";
    const item = element("li");
    item.innerHTML = `<svg viewBox="0 0 28 10" aria-hidden="true"><path d="M1 5h26" stroke="${colour}" stroke-width="2.5"${dash}/></svg>`;
    item.append(text);
    return item;
  }));
}

// --- Reconstructions --------------------------------------------------------------------

async function reconstructionColumns(width) {
  const shown = looksOf("reconstructions").map((looks) => lookAt(looks, state.step));
  const ranges = shown.filter(Boolean).map((look) => look.pictures.ranges[0]);
  const range = [d3.min(ranges, (r) => r[0]), d3.max(ranges, (r) => r[1])];
  return Promise.all(shown.map((look, index) => reconstructionColumn(look, index, range, width)));
}

async function reconstructionColumn(look, index, range, width) {
  const column = element("div");
  if (runs.length > 1) column.append(element("h3", {}, runName(runs[index], index)));
  if (!look) {
    column.append(element("p", { class: "note" }, "No look yet."));
    return column;
  }
  const { columns, image } = look.pictures;
  const fit = Math.max(1, Math.floor((width - 102) / (image ? 50 : 120)));
  // Lines of about equal length.
  const lines = Math.ceil(columns / fit);
  const perLine = Math.ceil(columns / lines);
  const drawn = [];
  for (let start = 0; start < columns; start += perLine) {
    const samples = d3.range(start, Math.min(columns, start + perLine));
    column.append(strips(look, samples, perLine, range, drawn));
  }
  const notes = [`Numbers: mean squared error of each reconstruction from its input.`];
  if (look.samples > columns) notes.push(`The first ${columns} of ${look.samples} samples.`);
  column.append(element("p", { class: "note" }, notes.join(" ") + lookNote(look)));
  await Promise.all(drawn);
  return column;
}

function strips(look, samples, perLine, range, drawn) {
  const grid = element("div", { class: "strips" });
  grid.style.gridTemplateColumns = `5.9rem repeat(${perLine}, minmax(0, 6.5rem))`;
  look.rows.forEach((row, i) => {
    grid.append(rowOf(element("span", {}, row.replace("_", " ")), samples, perLine, (sample) => {
      const tile = newTile(look.pictures, `${row.replace("_", " ")} of sample ${sample + 1}`);
      drawn.push(drawTile(tile, look.pictures, i, sample, range));
      return tile;
    }));
    const errors = look.errors[row];
    if (!errors) return;
    grid.append(rowOf(element("span", { "aria-label": `error of ${row}` }), samples, perLine, (sample) =>
      element("span", { class: "error" }, element("data", { value: String(errors[sample]) }, shortly(errors[sample]))),
    ));
  });
  return grid;
}

function rowOf(name, samples, perLine, cell) {
  const row = document.createDocumentFragment();
  row.append(name, ...samples.map(cell));
  for (let i = samples.length; i < perLine; i++) row.append(element("span"));
  return row;
}

const shortly = (value) => (value == null ? "–" : value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(2))));

// --- Curves and numbers -----------------------------------------------------------------

let charts = [];

function showCurves() {
  const panels = panelsOf(runs);
  byId("curves").hidden = panels.length === 0;
  const box = byId("curves").querySelector(".panels");
  const all = runs.flatMap((run) => Object.values(run.scalars).flatMap((column) => [...column.keys()]));
  let domain = d3.extent([...all, ...steps]);
  if (domain[0] === domain[1]) domain = [domain[0] - 0.5, domain[0] + 0.5];
  const figures = panels.map(() => element("figure", {}));
  box.replaceChildren(...figures);
  charts = panels.map((panel, i) => {
    const figure = figures[i];
    figure.append(element("h3", {}, panel.title));
    const lines = linesOf(runs, panel);
    if (panel.series.length > 1) {
      const series = panel.series.filter(({ name }) => lines.some((line) => line.name === name));
      figure.append(key(series.map((one) => [
        one.label,
        runs.length > 1 ? "var(--quiet)" : colourOf(panel.series.indexOf(one)),
        one.isDashed,
      ])));
    }
    const holder = element("div", { class: "chart" });
    figure.append(holder);
    const chart = curvesChart(runs, panel, { width: holder.clientWidth, domain });
    chart.addEventListener("click", (event) => goTo(stepUnder(chart, event)));
    holder.append(chart);
    return chart;
  });
}

function showNumbers() {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.scalars)))];
  byId("numbers").hidden = names.length === 0;
  const table = byId("numbers").querySelector("table");
  table.caption.textContent = `At epoch ${state.step}.`;
  const heads = runs.length > 1 ? runs.map((run, i) => element("th", { scope: "col" }, runName(run, i))) : [element("th", { scope: "col" }, "Value")];
  table.tHead.replaceChildren(element("tr", {}, element("th", { scope: "col" }, "Quantity"), ...heads));
  table.tBodies[0].replaceChildren(...names.map((name) =>
    element("tr", { "data-name": name }, element("th", { scope: "row" }, name), ...runs.map((run) => {
      const value = run.scalars[name]?.get(state.step);
      return element("td", {}, value == null ? "–" : element("data", { value: String(value), title: String(value) }, formatted(value)));
    })),
  ));
}

// --- The slider and what follows it ------------------------------------------------------

function showPosition() {
  const slider = byId("slider");
  slider.max = Math.max(0, steps.length - 1);
  slider.value = position();
  slider.disabled = steps.length < 2;
  const text = steps.length ? `epoch ${state.step} of ${steps.at(-1)}` : "no looks";
  slider.setAttribute("aria-valuetext", text);
  byId("position").textContent = text[0].toUpperCase() + text.slice(1);
  byId("previous").disabled = position() <= 0;
  byId("next").disabled = position() === steps.length - 1;
  byId("play").disabled = steps.length < 2;
  byId("follow").checked = state.follow;
}

let turn = 0;

async function show() {
  const mine = ++turn;
  showPosition();
  showNumbers();
  charts.forEach((chart) => markStep(chart, state.step));
  const sections = PICTURES.filter((kind) => state[kind]).map((kind) => byId(kind));
  sections.forEach((section) => (section.hidden = false));
  const width = (section) => columnWidth(section.querySelector(".runs"));
  const drawn = await Promise.all([
    state.tangents ? tangentColumns() : null,
    state.reconstructions ? reconstructionColumns(width(byId("reconstructions"))) : null,
  ]);
  if (mine !== turn) return; // the slider has moved on
  PICTURES.forEach((kind, i) => drawn[i] && byId(kind).querySelector(".runs").replaceChildren(...drawn[i]));
  if (state.tangents) {
    const box = byId("spectrum").querySelector(".runs");
    const padding = innerWidth <= 544 ? 20 : 32;
    box.replaceChildren(...spectrumColumns(columnWidth(box) - padding));
  }
  document.documentElement.dataset.shown = state.step;
}

// How wide one run's column of a grid will be, before it is filled.
function columnWidth(box) {
  if (box.childElementCount !== runs.length) box.replaceChildren(...runs.map(() => element("div")));
  return box.firstElementChild.clientWidth || box.clientWidth;
}

function choose(changes) {
  Object.assign(state, changes);
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // See above.
  }
  return show();
}

function goTo(step) {
  const nearest = d3.least(steps, (other) => Math.abs(other - step));
  return choose({ step: nearest, follow: nearest === steps.at(-1) });
}

const move = (by) => goTo(steps[Math.max(0, Math.min(steps.length - 1, position() + by))]);

let playing = null;

function play(on) {
  clearInterval(playing);
  playing = null;
  if (on) {
    if (position() === steps.length - 1) goTo(steps[0]);
    playing = setInterval(() => {
      move(1);
      if (position() === steps.length - 1) play(false);
    }, Math.max(150, Math.min(700, 20000 / steps.length)));
  }
  byId("play").setAttribute("aria-pressed", String(Boolean(playing)));
}

function connect() {
  byId("slider").addEventListener("input", (event) => goTo(steps[event.target.value]));
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  byId("play").addEventListener("click", () => play(!playing));
  byId("follow").addEventListener("change", ({ target }) =>
    choose(target.checked ? { follow: true, step: steps.at(-1) } : { follow: false }),
  );
  for (const kind of PICTURES) {
    const names = namesIn(runs, kind);
    const select = byId(`${kind}-name`);
    select.append(...names.map((name) => element("option", {}, name)));
    select.value = state[kind];
    select.parentElement.hidden = names.length < 2;
    select.addEventListener("change", () => {
      state[kind] = select.value;
      state.sample = Math.max(0, Math.min(state.sample, samplesShown() - 1));
      showSamples();
      choose({});
    });
  }
  // Arrow keys move the slider from anywhere but where they have a meaning of their own.
  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const isTaken = event.target.closest("input, select") || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
    if (!by || isTaken || !steps.length) return;
    event.preventDefault();
    move(by);
  });
  isDark.addEventListener("change", () => (showSamples(), show()));
}

function followWidth() {
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    requestAnimationFrame(() => (showCurves(), show()));
  }).observe(document.body);
}

// The run may have ended without a word: an old page asks less and less often.
function reloadLater() {
  const age = (Date.now() - written) / 1000;
  const seconds = Math.max(5, Math.min(60, age / 20));
  setTimeout(() => {
    const isInUse = playing || document.hidden || Date.now() - lastTouch < 3000;
    if (isInUse) return reloadLater();
    choose({ focus: document.activeElement.id });
    location.reload();
  }, 1000 * seconds);
}

let lastTouch = 0;

function keepFocus() {
  for (const kind of ["pointerdown", "keydown", "input"]) {
    document.addEventListener(kind, () => (lastTouch = Date.now()), { capture: true });
  }
  if (state.focus) byId(state.focus)?.focus({ preventScroll: true });
  state.focus = "";
}

restore();
showHead();
connect();
showCurves();
showSamples();
show();
followWidth();
keepFocus();
if (isRunning) reloadLater();
