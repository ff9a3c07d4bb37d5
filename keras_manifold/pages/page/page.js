// Curves and numbers, and what is drawn when something else is chosen.
"use strict";

/** @type {{chart: Chart, panel: Panel}[]} */
let charts = [];

// --- Curves -----------------------------------------------------------------------------

/** @returns {TimeScale | null} */
function timeScale() {
  if (state.along !== "time") return null;
  const longest = d3.max(shownRuns(), (run) => timeOf(run, d3.max(run.seconds.keys()) ?? 0)) ?? 1;
  for (const [unit, size] of /** @type {const} */ ([
    ["hours", 3600],
    ["minutes", 60],
  ])) {
    if (longest > 2 * size) return { unit, size };
  }
  return { unit: "seconds", size: 1 };
}

function stepRange() {
  const all = runs.flatMap((run) =>
    Object.values(run.scalars).flatMap((column) => [...column.keys()]),
  );
  const [start = 0, end = 0] = d3.extent([...all, ...steps]);
  return [start, end];
}

// What the charts show along their axis.
/**
 * @param {TimeScale | null} times
 * @returns {Interval}
 */
function axisDomain(times) {
  const [start, end] = stepRange();
  const [from, to] = [Math.max(start, state.from ?? start), Math.min(end, state.to ?? end)];
  if (!times) return from < to ? [from, to] : [from - 0.5, from + 0.5];
  const all = shownRuns().flatMap((run) =>
    [...run.seconds.keys()].filter((s) => s >= from && s <= to).flatMap((s) => timeOf(run, s) ?? []),
  );
  const [low = 0, high = 1] = d3.extent(all);
  return low < high ? [low, high] : [low, low + 1];
}

function showCurves() {
  const panels = panelsOf(runs);
  byId("curves").hidden = panels.length === 0;
  const box = within(byId("curves"), ".panels");
  const times = timeScale();
  const domain = axisDomain(times);
  const opened = [...box.querySelectorAll("details[open]")].map((d) => d.getAttribute("data-title"));
  const figures = panels.map(() => element("figure", {}));
  box.replaceChildren(...figures);
  charts = panels.flatMap((panel, i) => {
    const figure = figures[i];
    const help = explanation(topicOf(panel.series[0].name), panel.title);
    help.setAttribute("data-title", panel.title);
    if (opened.includes(panel.title)) help.open = true;
    figure.append(element("h3", {}, panel.title), help);
    if (panel.series.length > 1) figure.append(seriesKey(panel));
    const { clientWidth } = figure;
    const style = getComputedStyle(figure);
    const width = clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const { chart, lines, notes } = curvesChart(panel, { width, domain, times });
    const holder = boxOf(chart, summaryOf(panel, lines));
    figure.append(holder);
    if (notes) figure.append(element("figcaption", {}, notes));
    figure.append(savingTools(() => within(holder, "svg"), panel.title));
    listen(
      chart,
      (value) => goTo(stepAlong(value)),
      (from, to) => zoom(Math.ceil(stepAlong(from)), Math.floor(stepAlong(to))),
    );
    return [{ chart, panel }];
  });
  showZoom();
}

/** @param {Panel} panel */
function seriesKey(panel) {
  const series = panel.series.filter(({ name }) => runs.some((run) => run.scalars[name]));
  return key(
    series.map((one) => [
      one.label,
      groups.length > 1 ? "var(--quiet)" : colourOf(panel.series.indexOf(one)),
      one.isDashed,
    ]),
  );
}

// The step that a place on the axis means.
/** @param {number} value */
function stepAlong(value) {
  if (state.along !== "time") return value;
  const [run] = shownRuns();
  const nearest = d3.least(run.seconds.keys(), (s) => Math.abs((timeOf(run, s) ?? 0) - value));
  return nearest ?? state.step;
}

function markCharts() {
  const place = state.along === "time" ? timeOf(shownRuns()[0], state.step) : state.step;
  for (const { chart } of charts) markStep(chart, place ?? null);
}

/**
 * @param {number | null} from
 * @param {number | null} to
 */
function zoom(from, to) {
  if (from !== null && to !== null && from >= to) return;
  choose({ from, to });
  showCurves();
  markCharts();
}

function showZoom() {
  const [start, end] = stepRange();
  const [from, to] = [byId("from"), byId("to")];
  for (const input of [from, to]) Object.assign(input, { min: String(start), max: String(end) });
  from.value = String(state.from ?? start);
  to.value = String(state.to ?? end);
  byId("scale").checked = state.scale === "log";
  byId("trim").checked = state.isTrimmed;
  byId("time").checked = state.along === "time";
  const label = /** @type {HTMLElement} */ (byId("time").parentElement);
  label.hidden = !runs.every(hasTimes);
  byId("all").disabled = state.from === null && state.to === null;
}

// --- Numbers ----------------------------------------------------------------------------

const quantities = () => [...new Set(runs.flatMap((run) => Object.keys(run.scalars)))];

function showNumbers() {
  const names = quantities();
  byId("numbers").hidden = names.length === 0;
  const table = within(byId("numbers"), "table");
  within(table, "caption").textContent = `At ${at(state.step)}.`;
  const shown = shownGroups();
  const heads = isComparison
    ? shown.map((group) => element("th", { scope: "col" }, nameTag(group.label, group.index)))
    : [element("th", { scope: "col" }, "Value")];
  within(table, "thead").replaceChildren(
    element("tr", {}, element("th", { scope: "col" }, "Quantity"), ...heads),
  );
  within(table, "tbody").replaceChildren(
    ...names.map((name) =>
      element(
        "tr",
        { "data-name": name },
        element("th", { scope: "row" }, ...breakable(name), ofQuantity(runs, name)),
        ...shown.map((group) => element("td", {}, ...groupNumber(group, name))),
      ),
    ),
  );
}

/**
 * @param {Group} group
 * @param {string} name
 */
function groupNumber(group, name) {
  const values = group.runs.flatMap((run) => {
    const value = run.scalars[name]?.get(state.step);
    return value === undefined ? [] : [value];
  });
  if (!values.length) return ["–"];
  const { value, deviation } = spreadOf(values);
  if (value === null) return ["not finite"];
  if (values.length === 1) return [number(value)];
  return [number(value, `${formatted(value)} ± ${formatted(deviation, 2)}`)];
}

// --- All of it --------------------------------------------------------------------------

let turn = 0;

async function show() {
  const mine = ++turn;
  showPosition();
  showNumbers();
  markCharts();
  const sections = PICTURES.filter((kind) => state[kind]).map((kind) => byId(kind));
  sections.forEach((section) => (section.hidden = false));
  /** @type {(section: Element) => number} */
  const width = (section) => columnWidth(within(section, ".runs"));
  const drawn = await Promise.all([
    state.tangents ? tangentColumns() : null,
    state.reconstructions ? reconstructionColumns(width(byId("reconstructions"))) : null,
  ]);
  if (mine !== turn) return; // the slider has moved on
  PICTURES.forEach(
    (kind, i) => drawn[i] && keepingFocus(within(byId(kind), ".runs"), drawn[i]),
  );
  if (state.tangents) showSpectrum();
  showField();
  if (byId("dialog").open) fillDialog();
  document.documentElement.dataset.shown = String(state.step);
}

function showSpectrum() {
  const box = within(byId("spectrum"), ".runs");
  const padding = innerWidth <= 544 ? 20 : 32;
  box.replaceChildren(spectrumFigure(box.clientWidth - padding));
  const latent = within(byId("latent"), ".runs");
  byId("latent").hidden = !runs.some((run) =>
    run.tangents[state.tangents]?.some((one) => one.codes),
  );
  if (!byId("latent").hidden)
    latent.replaceChildren(...latentFigures(columnWidth(latent) - padding));
}

function showField() {
  const field = within(byId("field"), ".runs");
  byId("field").hidden = !runs.some((run) =>
    run.reconstructions[state.reconstructions]?.some((one) => one.field),
  );
  if (!byId("field").hidden)
    field.replaceChildren(...fieldFigures(columnWidth(field) - (innerWidth <= 544 ? 20 : 32)));
}

// Puts new nodes in the place of old ones; a button that had the focus has it again.
/**
 * @param {Element} box
 * @param {Node[]} nodes
 */
function keepingFocus(box, nodes) {
  const all = () => [...box.querySelectorAll("button")];
  const focused = all().findIndex((one) => one === document.activeElement);
  box.replaceChildren(...nodes);
  if (focused >= 0) all()[focused]?.focus({ preventScroll: true });
}

// How wide one run's column of a grid will be, before it is filled.
/** @param {Element} box */
function columnWidth(box) {
  const count = shownRuns().length;
  if (box.childElementCount !== count)
    box.replaceChildren(...d3.range(count).map(() => element("div")));
  return box.firstElementChild?.clientWidth || box.clientWidth;
}

// What depends on more than the step.
function redrawAll() {
  showHead();
  showLegends();
  showSamples();
  showSetup();
  showAngles();
  showCurves();
  return show();
}

restore();
connect();
explainSections();
byId("numbers").append(
  tableTools(() => within(byId("numbers"), "table"), "numbers", numbersAsCsv),
);
redrawAll().then(measureLoading);
followWidth();
keepFocus();
followNews();
