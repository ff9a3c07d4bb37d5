// What is chosen: step, sample, which callbacks' looks; kept over reloads.
"use strict";

/** @type {<Id extends string>(id: Id) => ElementOf<Id>} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));
// The one element within another that a selector means.
/** @type {(parent: Element, selector: string) => HTMLElement} */
const within = (parent, selector) => /** @type {any} */ (parent.querySelector(selector));
const runs = readRuns();
const steps = stepsOf(runs);
// Looks by batches tell the epoch beside the step.
const UNIT = runs.some((run) => run.scalars.epoch) ? "batch" : "epoch";
const isRunning = document.documentElement.dataset.running === "true";
const written = new Date(document.documentElement.dataset.written ?? "");
/** @type {Kind[]} */
const PICTURES = ["tangents", "reconstructions"];

// Kept over the reloads of a page whose run goes on.
const KEY = `keras_manifold ${location.pathname}`;
/** @type {State} */
const state = {
  step: steps.at(-1) ?? 0,
  follow: true,
  sample: 0,
  tangents: "",
  reconstructions: "",
  focus: "",
};

function restore() {
  try {
    Object.assign(state, JSON.parse(sessionStorage.getItem(KEY) ?? "{}"));
  } catch {
    // Without storage, a reload begins at the last look.
  }
  if (state.follow) state.step = steps.at(-1) ?? 0;
  if (!steps.includes(state.step))
    state.step = steps.findLast((s) => s <= state.step) ?? steps[0] ?? 0;
  for (const kind of PICTURES) {
    const names = namesIn(runs, kind);
    if (!names.includes(state[kind])) state[kind] = names[0] ?? "";
  }
  state.sample = Math.max(0, Math.min(state.sample, samplesShown() - 1));
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** @type {(count: number, word: string) => string} */
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
/** @type {<K extends Kind>(kind: K) => (Run[K][string] | undefined)[]} */
const looksOf = (kind) => runs.map((run) => run[kind][state[kind]]);
const position = () => steps.indexOf(state.step);

function samplesShown() {
  return (
    d3.max(looksOf("tangents"), (looks) =>
      d3.max(looks ?? [], (look) => look.pictures.rows),
    ) ?? 0
  );
}
