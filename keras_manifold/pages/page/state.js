// What is chosen: step, sample, which callbacks' looks; kept over reloads.
"use strict";

const byId = (id) => document.getElementById(id);
const runs = readRuns();
const steps = stepsOf(runs);
// Looks by batches tell the epoch beside the step.
const UNIT = runs.some((run) => run.scalars.epoch) ? "batch" : "epoch";
const isRunning = document.documentElement.dataset.running === "true";
const written = new Date(document.documentElement.dataset.written);
const PICTURES = ["tangents", "reconstructions"];

// Kept over the reloads of a page whose run goes on.
const KEY = `keras_manifold ${location.pathname}`;
const state = {
  step: steps.at(-1),
  follow: true,
  sample: 0,
  tangents: null,
  reconstructions: null,
};

function restore() {
  try {
    Object.assign(state, JSON.parse(sessionStorage.getItem(KEY)));
  } catch {
    // Without storage, a reload begins at the last look.
  }
  if (state.follow) state.step = steps.at(-1);
  if (!steps.includes(state.step))
    state.step = steps.findLast((s) => s <= state.step) ?? steps[0];
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
  return (
    d3.max(looksOf("tangents"), (looks) =>
      d3.max(looks ?? [], (look) => look.pictures.rows),
    ) ?? 0
  );
}
