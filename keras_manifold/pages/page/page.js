// Curves and numbers, the slider, and what follows it.
"use strict";

/** @type {Chart[]} */
let charts = [];

function showCurves() {
  const panels = panelsOf(runs);
  byId("curves").hidden = panels.length === 0;
  const box = within(byId("curves"), ".panels");
  const all = runs.flatMap((run) =>
    Object.values(run.scalars).flatMap((column) => [...column.keys()]),
  );
  const [start = 0, end = 0] = d3.extent([...all, ...steps]);
  /** @type {Interval} */
  const domain = start === end ? [start - 0.5, end + 0.5] : [start, end];
  const figures = panels.map(() => element("figure", {}));
  box.replaceChildren(...figures);
  charts = panels.map((panel, i) => {
    const figure = figures[i];
    figure.append(element("h3", {}, panel.title));
    const lines = linesOf(runs, panel);
    if (panel.series.length > 1) {
      const series = panel.series.filter(({ name }) =>
        lines.some((line) => line.name === name),
      );
      figure.append(
        key(
          series.map((one) => [
            one.label,
            runs.length > 1 ? "var(--quiet)" : colourOf(panel.series.indexOf(one)),
            one.isDashed,
          ]),
        ),
      );
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
  const table = within(byId("numbers"), "table");
  within(table, "caption").textContent = `At ${UNIT} ${state.step}.`;
  const heads =
    runs.length > 1
      ? runs.map((run, i) => element("th", { scope: "col" }, runName(run, i)))
      : [element("th", { scope: "col" }, "Value")];
  within(table, "thead").replaceChildren(
    element("tr", {}, element("th", { scope: "col" }, "Quantity"), ...heads),
  );
  within(table, "tbody").replaceChildren(
    ...names.map((name) =>
      element(
        "tr",
        { "data-name": name },
        element("th", { scope: "row" }, name),
        ...runs.map((run) => {
          const value = run.scalars[name]?.get(state.step);
          return element(
            "td",
            {},
            value == null
              ? "–"
              : element(
                  "data",
                  { value: String(value), title: String(value) },
                  formatted(value),
                ),
          );
        }),
      ),
    ),
  );
}

function showPosition() {
  const slider = byId("slider");
  slider.max = String(Math.max(0, steps.length - 1));
  slider.value = String(position());
  slider.disabled = steps.length < 2;
  const text = steps.length ? `${UNIT} ${state.step} of ${steps.at(-1)}` : "no looks";
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
  /** @type {(section: Element) => number} */
  const width = (section) => columnWidth(within(section, ".runs"));
  const drawn = await Promise.all([
    state.tangents ? tangentColumns() : null,
    state.reconstructions ? reconstructionColumns(width(byId("reconstructions"))) : null,
  ]);
  if (mine !== turn) return; // the slider has moved on
  PICTURES.forEach(
    (kind, i) =>
      drawn[i] && within(byId(kind), ".runs").replaceChildren(...drawn[i]),
  );
  if (state.tangents) {
    const box = within(byId("spectrum"), ".runs");
    const padding = innerWidth <= 544 ? 20 : 32;
    box.replaceChildren(...spectrumColumns(columnWidth(box) - padding));
  }
  document.documentElement.dataset.shown = String(state.step);
}

// How wide one run's column of a grid will be, before it is filled.
/** @param {Element} box */
function columnWidth(box) {
  if (box.childElementCount !== runs.length)
    box.replaceChildren(...runs.map(() => element("div")));
  return box.firstElementChild?.clientWidth || box.clientWidth;
}

/** @param {Partial<State>} changes */
function choose(changes) {
  Object.assign(state, changes);
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // See above.
  }
  return show();
}

/** @param {number} step */
function goTo(step) {
  const nearest = d3.least(steps, (other) => Math.abs(other - step));
  return choose({ step: nearest, follow: nearest === steps.at(-1) });
}

/** @type {(by: number) => Promise<void> | undefined} */
const move = (by) => goTo(steps[Math.max(0, Math.min(steps.length - 1, position() + by))]);

/** @type {ReturnType<typeof setInterval> | undefined} */
let playing;

/** @param {boolean} on */
function play(on) {
  clearInterval(playing);
  playing = undefined;
  if (on) {
    if (position() === steps.length - 1) goTo(steps[0]);
    playing = setInterval(
      () => {
        move(1);
        if (position() === steps.length - 1) play(false);
      },
      Math.max(150, Math.min(700, 20000 / steps.length)),
    );
  }
  byId("play").setAttribute("aria-pressed", String(Boolean(playing)));
}

function connect() {
  const slider = byId("slider");
  const follow = byId("follow");
  slider.addEventListener("input", () => goTo(steps[Number(slider.value)]));
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  byId("play").addEventListener("click", () => play(!playing));
  follow.addEventListener("change", () =>
    choose({
      follow: follow.checked,
      step: (follow.checked ? steps.at(-1) : undefined) ?? state.step,
    }),
  );
  for (const kind of PICTURES) {
    const names = namesIn(runs, kind);
    const select = byId(kind === "tangents" ? "tangents-name" : "reconstructions-name");
    select.append(...names.map((name) => element("option", {}, name)));
    select.value = state[kind];
    /** @type {HTMLElement} */ (select.parentElement).hidden = names.length < 2;
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
    const isTaken =
      (event.target instanceof Element && event.target.closest("input, select")) ||
      event.altKey ||
      event.ctrlKey ||
      event.metaKey ||
      event.shiftKey;
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
  const age = (Date.now() - written.getTime()) / 1000;
  const seconds = Math.max(5, Math.min(60, age / 20));
  setTimeout(() => {
    const isInUse = playing || document.hidden || Date.now() - lastTouch < 3000;
    if (isInUse) return reloadLater();
    choose({ focus: document.activeElement?.id ?? "" });
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
