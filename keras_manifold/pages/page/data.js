// What the page holds: runs, each with its looks and its numbers by step.
"use strict";

// Colours and titles of the figures.
const SHARED = JSON.parse(document.getElementById("shared").textContent);

function readRuns() {
  const runs = [];
  for (const script of document.querySelectorAll("script[data-run], script[data-file]")) {
    const content = JSON.parse(script.textContent);
    if ("run" in script.dataset) {
      runs.push({
        label: content.label,
        tangents: {},
        reconstructions: {},
        scalars: {},
        unreadable: [],
      });
    } else if (content) {
      addFragment(runs.at(-1), content, script.dataset.file);
    }
  }
  runs.forEach(finishRun);
  return runs;
}

function addFragment(run, content, file) {
  if (content.kind === "unreadable") run.unreadable.push(file);
  else if (content.kind === "scalars") addScalars(run, content.values);
  else (run[content.kind][content.name] ??= []).push(content);
}

// Several callbacks report the same logs: the first number stands, also where a later file
// has none.
function addScalars(run, values) {
  for (const [name, pairs] of Object.entries(values)) {
    const column = (run.scalars[name] ??= new Map());
    for (const [step, value] of pairs) {
      if (column.get(step) == null) column.set(step, value);
    }
  }
}

function finishRun(run) {
  for (const kind of ["tangents", "reconstructions"]) {
    for (const looks of Object.values(run[kind])) looks.sort((a, b) => a.step - b.step);
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
function lookAt(looks, step) {
  return looks?.findLast((look) => look.step <= step);
}

function namesIn(runs, kind) {
  return [...new Set(runs.flatMap((run) => Object.keys(run[kind])))].sort();
}

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

function inWords(name) {
  return SHARED.titles[name] ?? name.replace(/_/g, " ");
}

// The title of what TangentAnalyzer reports as `<prefix>_<name>`.
const tangentTitle = (prefix, name) => `${inWords(prefix)} ${SHARED.tangentTitles[name]}`;

const letterOf = (index) => String.fromCharCode(65 + (index % 26));
const colourOf = (index) => `var(--run-${index % SHARED.categories})`;
