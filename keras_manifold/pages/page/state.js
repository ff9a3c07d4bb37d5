// What is chosen: step, sample, which callbacks' snapshots; kept over reloads and in links.
"use strict";

/** @type {<Id extends string>(id: Id) => ElementOf<Id>} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));
// The one element within another that a selector means.
/** @type {(parent: Element, selector: string) => HTMLElement} */
const within = (parent, selector) => /** @type {any} */ (parent.querySelector(selector));
const runs = readRuns();
const groups = groupsOf(runs);
const steps = stepsOf(runs);
// Snapshots by batches tell the epoch beside the step.
const UNIT = runs.some((run) => run.scalars.epoch) ? "batch" : "epoch";
const isRunning = document.documentElement.dataset.running === "true";
const written = new Date(document.documentElement.dataset.written ?? "");
const isComparison = runs.length > 1;
/** @type {Kind[]} */
const PICTURES = ["tangents", "reconstructions"];

// Kept over the reloads of a page whose run continues.
const KEY = `keras_manifold ${location.pathname}`;
/** @type {State} */
const state = {
  step: steps.at(-1) ?? 0,
  follow: true,
  sample: 0,
  tangents: "",
  reconstructions: "",
  hidden: [],
  scale: "linear",
  along: "step",
  from: null,
  to: null,
  isTrimmed: false,
  focus: "",
};

function restore() {
  try {
    Object.assign(state, JSON.parse(sessionStorage.getItem(KEY) ?? "{}"));
  } catch {
    // Without storage, a reload begins at the last snapshot.
  }
  readLink();
  settle();
}

// What a link says is taken; what it does not say stays.
function readLink() {
  const said = new URLSearchParams(location.hash.slice(1));
  const step = Number(said.get(UNIT) ?? said.get("step") ?? NaN);
  if (Number.isFinite(step)) Object.assign(state, { step, follow: false });
  const sample = Number(said.get("sample") ?? NaN);
  if (Number.isInteger(sample)) state.sample = sample - 1;
  for (const kind of PICTURES) state[kind] = said.get(kind) ?? state[kind];
  if (said.has("hide")) state.hidden = said.getAll("hide");
}

// The address of what is shown, so that it can be sent to somebody.
function writeLink() {
  const said = new URLSearchParams();
  if (!state.follow) said.set(UNIT, String(state.step));
  if (samplesShown() > 1) said.set("sample", String(state.sample + 1));
  for (const kind of PICTURES)
    if (namesIn(runs, kind).length > 1) said.set(kind, state[kind]);
  for (const label of state.hidden) said.append("hide", label);
  const link = `#${said}`;
  if (link !== (location.hash || "#")) history.replaceState(null, "", link);
}

// What the files no longer hold is not chosen.
function settle() {
  if (state.follow) state.step = steps.at(-1) ?? 0;
  if (!steps.includes(state.step))
    state.step = steps.findLast((s) => s <= state.step) ?? steps[0] ?? 0;
  for (const kind of PICTURES) {
    const names = namesIn(runs, kind);
    if (!names.includes(state[kind])) state[kind] = names[0] ?? "";
  }
  state.sample = Math.max(0, Math.min(state.sample, samplesShown() - 1)) || 0;
  state.hidden = groups.map((group) => group.label).filter((l) => state.hidden.includes(l));
  if (state.hidden.length === groups.length) state.hidden = [];
  if (!runs.every(hasTimes)) state.along = "step";
}

/** @param {Run | Group} one */
const isShown = (one) => !state.hidden.includes(one.label);
const shownRuns = () => runs.filter(isShown);
const shownGroups = () => groups.filter(isShown);

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

// A name that may be broken after its underscores.
/** @param {string} name */
const breakable = (name) =>
  name.split(/(?<=_)/).flatMap((part, i) => (i ? [element("wbr"), part] : [part]));

// A button that does something.
/**
 * @param {string | Node} content
 * @param {() => void} work
 * @param {Record<string, string | number>} attributes
 */
function button(content, work, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, content);
  node.addEventListener("click", work);
  return node;
}

// A number that is not broken across lines, in full precision for those who ask.
/**
 * @param {number | null | undefined} value
 * @param {string} text
 */
function number(value, text = formatted(value)) {
  if (value == null) return element("data", { value: "NaN" }, text);
  return element("data", { value: String(value), title: String(value) }, text);
}

const position = () => steps.indexOf(state.step);

function samplesShown() {
  const all = runs.flatMap((run) => run.tangents[state.tangents] ?? []);
  return d3.max(all, (snapshot) => snapshot.pictures.rows) ?? 0;
}

// "epoch 3", as a step is called.
/** @type {(step: number) => string} */
const at = (step) => `${UNIT} ${step}`;
