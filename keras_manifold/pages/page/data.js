// What the page holds: runs, each with its snapshots and its numbers by step.
"use strict";

// Colours and titles of the figures.
/** @type {Shared} */
const SHARED = JSON.parse(document.getElementById("shared")?.textContent ?? "");

// Names come from files: one may be called "constructor".
/**
 * @template T
 * @returns {Record<string, T>}
 */
const emptyRecord = () => Object.create(null);

// Elements with pictures by their names; they are read when they are shown.
/** @type {Map<string, HTMLScriptElement>} */
const pictureElements = new Map();

function readRuns() {
  /** @type {Run[]} */
  const found = [];
  /** @type {NodeListOf<HTMLScriptElement>} */
  const scripts = document.querySelectorAll(
    "script[data-run], script[data-file], script[data-picture]",
  );
  for (const script of scripts) {
    const { run, file, stamp, picture } = script.dataset;
    if (picture !== undefined) {
      pictureElements.set(picture, script);
    } else if (run !== undefined) {
      found.push({
        label: JSON.parse(script.text).label,
        name: "",
        group: 0,
        tangents: emptyRecord(),
        reconstructions: emptyRecord(),
        scalars: emptyRecord(),
        setup: null,
        unreadable: [],
        seconds: new Map(),
      });
    } else {
      const content = JSON.parse(script.text);
      const last = found.at(-1);
      if (content && last) addFragment(last, content, file ?? "", secondsOf(stamp));
    }
  }
  found.forEach(finishRun);
  return found;
}

// When a file was written, from its stamp: seconds since 1970, NaN where that is not known.
/** @param {string | undefined} stamp */
const secondsOf = (stamp) => Number(stamp?.split("-")[1] ?? NaN) / 1e9;

/**
 * @param {Run} run
 * @param {Fragment} content
 * @param {string} file
 * @param {number} seconds
 */
function addFragment(run, content, file, seconds) {
  if (content.kind === "unreadable") run.unreadable.push(file);
  else if (content.kind === "setup") run.setup = content.values;
  else if (content.kind === "scalars") addScalars(run, content.values);
  else {
    if (content.kind === "tangents") (run.tangents[content.name] ??= []).push(content);
    else (run.reconstructions[content.name] ??= []).push(content);
    const known = run.seconds.get(content.step) ?? Infinity;
    if (seconds > 0) run.seconds.set(content.step, Math.min(known, seconds));
  }
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
  for (const snapshots of named.flatMap((one) => Object.values(one))) {
    /** @type {Snapshot[]} */ (snapshots).sort((a, b) => a.step - b.step);
  }
  // Folders without a CSV file still have what follows from the spectra, and those with one
  // may lack the snapshot before training. Numbers that training saw stand.
  for (const snapshots of Object.values(run.tangents)) {
    for (const snapshot of snapshots) {
      for (const [name, value] of Object.entries(snapshot.scalars)) {
        const column = (run.scalars[name] ??= new Map());
        if (!column.has(snapshot.step)) column.set(snapshot.step, value);
      }
    }
  }
  for (const [name, column] of Object.entries(run.scalars)) {
    run.scalars[name] = sortedByStep(column);
  }
  run.seconds = sortedByStep(run.seconds);
}

/**
 * @template T
 * @param {Map<number, T>} column
 */
const sortedByStep = (column) => new Map([...column].sort((a, b) => a[0] - b[0]));

// Runs of one label belong together: they share a colour and a letter, and curves show
// their mean.
/**
 * @param {Run[]} all
 * @returns {Group[]}
 */
function groupsOf(all) {
  const labels = [...new Set(all.map((run) => run.label))];
  return labels.map((label, index) => {
    const members = all.filter((run) => run.label === label);
    members.forEach((run, i) => {
      run.group = index;
      run.name = members.length > 1 ? `${label}, ${i + 1}` : label;
    });
    return { label, index, runs: members };
  });
}

// The snapshots of all runs, or where there is none the steps with numbers.
/** @param {Run[]} all */
function stepsOf(all) {
  const snapshots = all.flatMap((run) =>
    [run.tangents, run.reconstructions].flatMap((named) => Object.values(named).flat()),
  );
  const found = snapshots.length
    ? snapshots.map((snapshot) => snapshot.step)
    : all.flatMap((run) =>
        Object.values(run.scalars).flatMap((column) => [...column.keys()]),
      );
  return [...new Set(found)].sort((a, b) => a - b);
}

// The last snapshot that was made by then: callbacks may look at different epochs.
/**
 * @template {Snapshot} S
 * @param {S[] | undefined} snapshots
 * @param {number} step
 * @returns {S | undefined}
 */
const snapshotAt = (snapshots, step) =>
  snapshots?.findLast((snapshot) => snapshot.step <= step);

// The same of those with pictures: of long runs, some have none.
/**
 * @template {Snapshot} S
 * @param {S[] | undefined} snapshots
 * @param {number} step
 * @returns {S | undefined}
 */
const picturedAt = (snapshots, step) =>
  snapshots?.findLast((snapshot) => snapshot.step <= step && hasPictures(snapshot));

/** @param {Snapshot} snapshot */
const hasPictures = (snapshot) =>
  spritesOf(snapshot).every((sprite) => pictureElements.has(sprite.picture));

/**
 * @param {Snapshot} snapshot
 * @returns {Sprite[]}
 */
function spritesOf(snapshot) {
  if (snapshot.kind === "reconstructions") return Object.values(snapshot.pictures);
  return snapshot.inputs ? [snapshot.pictures, snapshot.inputs] : [snapshot.pictures];
}

/**
 * @param {Run[]} all
 * @param {Kind} kind
 */
function namesIn(all, kind) {
  return [...new Set(all.flatMap((run) => Object.keys(run[kind])))].sort();
}

/**
 * @param {number | null | undefined} value
 * @param {number} digits
 */
function formatted(value, digits = 4) {
  if (value == null) return "–";
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  const isPlain = size === 0 || (size >= 1e-3 && size < 1e5);
  const text =
    Number.isInteger(value) && size < 1e5
      ? String(value)
      : isPlain
        ? size >= 10 ** digits - 0.5 // what is rounded up to it, too
          ? value.toFixed(0)
          : value.toPrecision(digits)
        : value.toExponential(digits - 1);
  return text.replace(/-/g, "−");
}

// A duration in its largest unit.
/** @param {number} seconds */
function duration(seconds) {
  for (const [unit, size] of /** @type {const} */ ([
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ])) {
    const count = Math.floor(seconds / size);
    if (count >= 2 || (count === 1 && unit !== "day")) return plural(count, unit);
  }
  return plural(Math.round(seconds), "second");
}

/** @param {string} name */
function inWords(name) {
  return Object.hasOwn(SHARED.titles, name) ? SHARED.titles[name] : name.replace(/_/g, " ");
}

/** @type {(count: number, word: string) => string} */
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// Whose Jacobian a callback looked at, " of the encoder", where all runs say the same.
/**
 * @param {Run[]} all
 * @param {string} prefix
 */
function ofPart(all, prefix) {
  const parts = all.map((run) => run.setup?.watches?.[prefix]?.of);
  const [part] = parts;
  return part && parts.every((other) => other === part) ? ` of the ${part}` : "";
}

// The same of what is reported as `name`, where it is of tangents.
/**
 * @param {Run[]} all
 * @param {string} name
 */
function ofQuantity(all, name) {
  const [prefix] = namesIn(all, "tangents").filter((one) =>
    [...Object.keys(SHARED.tangentTitles), "norm_error"].some((suffix) => name === `${one}_${suffix}`),
  );
  return prefix === undefined ? "" : ofPart(all, prefix);
}

// What the user called the entries of a table or the channels of a series, if they are these.
/**
 * @param {Run | undefined} run
 * @param {string} prefix
 * @param {Sprite} sprite
 * @returns {string[] | null}
 */
function namesOf(run, prefix, sprite) {
  const said = run?.setup?.watches?.[prefix];
  const isSeries = sprite.kind === "series";
  const names = sprite.kind === "image" ? null : said?.[isSeries ? "channel_names" : "feature_names"];
  if (!Array.isArray(names)) return null;
  const shown = isSeries ? names : names.filter((_, i) => i % sprite.every === 0);
  const count = isSeries ? sprite.channels : sprite.width;
  return shown.length === count ? shown.map(String) : null;
}

// The title of what TangentAnalyzer reports as `<prefix>_<name>`, with its unit last.
/** @type {(prefix: string, name: string, part?: string) => string} */
function tangentTitle(prefix, name, part = "") {
  const [what, ...unit] = SHARED.tangentTitles[name].split(", ");
  return [`${inWords(prefix)} ${what}${part}`, ...unit].join(", ");
}

/** @type {(index: number) => string} */
const letterOf = (index) => String.fromCharCode(65 + (index % 26));
/** @type {(index: number) => string} */
const colourOf = (index) => `var(--run-${index % SHARED.categories})`;
