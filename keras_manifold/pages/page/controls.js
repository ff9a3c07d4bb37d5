// What chooses: the slider and its buttons, keys, links, and the width of the window.
"use strict";

function showPosition() {
  const slider = byId("slider");
  slider.max = String(Math.max(0, steps.length - 1));
  slider.value = String(position());
  slider.disabled = steps.length < 2;
  const text = steps.length ? `${at(state.step)} of ${steps.at(-1)}` : "no snapshots";
  slider.setAttribute("aria-valuetext", text);
  byId("position").textContent = text[0].toUpperCase() + text.slice(1);
  byId("previous").disabled = position() <= 0;
  byId("next").disabled = position() === steps.length - 1;
  byId("play").disabled = steps.length < 2;
  byId("follow").checked = state.follow;
}

/** @param {Partial<State>} changes_ */
function choose(changes_) {
  Object.assign(state, changes_);
  keep();
  writeLink();
  return show();
}

function keep() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Without storage, a reload begins at the last snapshot.
  }
}

/** @param {number} step */
function goTo(step) {
  const nearest = d3.least(steps, (other) => Math.abs(other - step));
  return choose({ step: nearest, follow: nearest === steps.at(-1) });
}

/** @param {number} sample */
function chooseSample(sample) {
  const input = document.getElementById(`sample-${sample}`);
  if (input instanceof HTMLInputElement) input.checked = true;
  return choose({ sample });
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
  for (const kind of PICTURES) connectNames(kind);
  connectCurves();
  connectDialog();
  // Arrow keys move the slider from anywhere but where they have a meaning of their own.
  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const isTaken =
      (event.target instanceof Element &&
        event.target.closest("input, select, .scrolling, dialog")) ||
      event.altKey ||
      event.ctrlKey ||
      event.metaKey ||
      event.shiftKey;
    if (!by || isTaken || !steps.length) return;
    event.preventDefault();
    move(by);
  });
  isDark.addEventListener("change", () => redrawAll());
  addEventListener("hashchange", () => {
    readLink();
    settle();
    keep();
    redrawAll();
  });
}

/** @param {Kind} kind */
function connectNames(kind) {
  const names = namesIn(runs, kind);
  const select = byId(kind === "tangents" ? "tangents-name" : "reconstructions-name");
  select.append(...names.map((name) => element("option", {}, name)));
  select.value = state[kind];
  /** @type {HTMLElement} */ (select.parentElement).hidden = names.length < 2;
  select.addEventListener("change", () => {
    state[kind] = select.value;
    settle();
    choose({});
    redrawAll();
  });
}

function connectCurves() {
  /** @param {Partial<State>} changed */
  const redraw = (changed) => {
    choose(changed);
    showCurves();
    markCharts();
  };
  byId("scale").addEventListener("change", () =>
    redraw({ scale: byId("scale").checked ? "log" : "linear" }),
  );
  byId("time").addEventListener("change", () =>
    redraw({ along: byId("time").checked ? "time" : "step" }),
  );
  byId("trim").addEventListener("change", () => redraw({ isTrimmed: byId("trim").checked }));
  for (const id of /** @type {const} */ (["from", "to"])) {
    byId(id).addEventListener("change", () => {
      const [start, end] = stepRange();
      const [from, to] = [byId("from").valueAsNumber, byId("to").valueAsNumber];
      zoom(from > start ? from : null, to < end ? to : null);
    });
  }
  byId("all").addEventListener("click", () => zoom(null, null));
}

function followWidth() {
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    requestAnimationFrame(() => (showCurves(), show()));
  }).observe(document.body);
}

let lastTouch = 0;

function keepFocus() {
  for (const kind of ["pointerdown", "keydown", "input"]) {
    document.addEventListener(kind, () => (lastTouch = Date.now()), { capture: true });
  }
  if (state.focus) byId(state.focus)?.focus({ preventScroll: true });
  state.focus = "";
}
