// What the page holds: runs, each with its looks and its numbers by step.
"use strict";

// Colours and titles of the figures.
/** @type {Shared} */
const SHARED = JSON.parse(document.getElementById("shared")?.textContent ?? "");

function readRuns() {
  /** @type {Run[]} */
  const found = [];
  /** @type {NodeListOf<HTMLScriptElement>} */
  const scripts = document.querySelectorAll("script[data-run], script[data-file]");
  for (const script of scripts) {
    const content = JSON.parse(script.text);
    const run = found.at(-1);
    if ("run" in script.dataset) {
      found.push({
        label: content.label,
        tangents: {},
        reconstructions: {},
        scalars: {},
        unreadable: [],
      });
    } else if (content && run) {
      addFragment(run, content, script.dataset.file ?? "");
    }
  }
  found.forEach(finishRun);
  return found;
}

/**
 * @param {Run} run
 * @param {Fragment} content
 * @param {string} file
 */
function addFragment(run, content, file) {
  if (content.kind === "unreadable") run.unreadable.push(file);
  else if (content.kind === "scalars") addScalars(run, content.values);
  else if (content.kind === "tangents")
    (run.tangents[content.name] ??= []).push(content);
  else (run.reconstructions[content.name] ??= []).push(content);
}

// Several callbacks report the same logs: the first number stands, also where a later file
// has none.
/**
 * @param {Run} run
 * @param {Scalars["values"]} values
 */
function addScalars(run, values) {
  for (const [name, pairs] of Object.entries(values)) {
    const column = (run.scalars[name] ??= new Map());
    for (const [step, value] of pairs) {
      if (column.get(step) == null) column.set(step, value);
    }
  }
}

/** @param {Run} run */
function finishRun(run) {
  const named = [run.tangents, run.reconstructions];
  for (const looks of named.flatMap((one) => Object.values(one))) {
    /** @type {Look[]} */ (looks).sort((a, b) => a.step - b.step);
  }
  // Folders without a CSV file still have what follows from the spectra, and those with one
  // may lack the look before training. Numbers that training saw stand.
  for (const looks of Object.values(run.tangents)) {
    for (const look of looks) {
      for (const [name, value] of Object.entries(look.scalars)) {
        const column = (run.scalars[name] ??= new Map());
        if (!column.has(look.step)) column.set(look.step, value);
      }
    }
  }
  for (const [name, column] of Object.entries(run.scalars)) {
    run.scalars[name] = new Map([...column].sort((a, b) => a[0] - b[0]));
  }
}

// The looks of all runs, or where there is none the steps with numbers.
/** @param {Run[]} runs */
function stepsOf(runs) {
  const looks = runs.flatMap((run) =>
    [run.tangents, run.reconstructions].flatMap((named) => Object.values(named).flat()),
  );
  const steps = looks.length
    ? looks.map((look) => look.step)
    : runs.flatMap((run) =>
        Object.values(run.scalars).flatMap((column) => [...column.keys()]),
      );
  return [...new Set(steps)].sort((a, b) => a - b);
}

// The last look that was made by then: callbacks may look at different epochs.
/**
 * @template {Look} L
 * @param {L[] | undefined} looks
 * @param {number} step
 * @returns {L | undefined}
 */
function lookAt(looks, step) {
  return looks?.findLast((look) => look.step <= step);
}

/**
 * @param {Run[]} runs
 * @param {Kind} kind
 */
function namesIn(runs, kind) {
  return [...new Set(runs.flatMap((run) => Object.keys(run[kind])))].sort();
}

/** @param {number | null | undefined} value */
function formatted(value) {
  if (value == null) return "–";
  const size = Math.abs(value);
  const isPlain = size === 0 || (size >= 1e-3 && size < 1e5);
  const text =
    Number.isInteger(value) && size < 1e5
      ? String(value)
      : isPlain
        ? value.toPrecision(4)
        : value.toExponential(3);
  return text.replace(/-/g, "−");
}

/** @param {string} name */
function inWords(name) {
  return SHARED.titles[name] ?? name.replace(/_/g, " ");
}

// The title of what TangentAnalyzer reports as `<prefix>_<name>`.
/** @type {(prefix: string, name: string) => string} */
const tangentTitle = (prefix, name) => `${inWords(prefix)} ${SHARED.tangentTitles[name]}`;

/** @type {(index: number) => string} */
const letterOf = (index) => String.fromCharCode(65 + (index % 26));
/** @type {(index: number) => string} */
const colourOf = (index) => `var(--run-${index % SHARED.categories})`;
