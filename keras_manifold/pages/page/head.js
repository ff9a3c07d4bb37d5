// The head of the page: what the runs are, and what training did in a sentence.
"use strict";

function showHead() {
  const last = steps.at(-1);
  const facts = [];
  if (isComparison) facts.push(plural(runs.length, "run"));
  const word = PICTURES.some((kind) => state[kind]) ? "snapshot" : UNIT;
  if (last !== undefined)
    facts.push(
      `${plural(steps.length, word)}, the last ${word === "snapshot" ? `at ${UNIT} ` : ""}${last}`,
    );
  facts.push(`written ${written.toLocaleString()}`);
  if (isRunning) facts.push("the run continues, and this page follows it");
  byId("facts").textContent = `${facts.join(" · ")}.`;
  byId("written").textContent = written.toLocaleString();
  byId("summary").textContent = isComparison ? comparison() : changes(runs[0]);
  const part = ofPart(runs, state.tangents);
  byId("tangents-title").textContent = `Tangent vectors${part}`;
  byId("spectrum-title").textContent = `Spectrum${part}`;
  const notes = [missingPictures(), unreadableFiles()].filter(Boolean);
  byId("notes").hidden = notes.length === 0;
  byId("notes").textContent = notes.join(" ");
  for (const box of document.querySelectorAll(".runs, main"))
    box.classList.toggle("alone", !isComparison);
}

function unreadableFiles() {
  const files = runs.flatMap((run) => run.unreadable);
  if (!files.length) return "";
  return `Could not be read: ${files.slice(0, 5).join(", ")}${files.length > 5 ? " and others" : ""}.`;
}

// Pictures of long runs would make a page that no browser opens at once.
function missingPictures() {
  const all = runs.flatMap((run) =>
    PICTURES.flatMap((kind) => /** @type {Snapshot[]} */ (Object.values(run[kind]).flat())),
  );
  const pictured = all.filter(hasPictures).length;
  if (pictured === all.length) return "";
  return `Pictures are those of ${pictured} of ${all.length} snapshots, evenly over training, so that the page stays small; numbers and spectra are those of all.`;
}

/** @param {Run} run */
function runName(run) {
  return nameTag(run.name, run.group);
}

/**
 * @param {string} text
 * @param {number} group
 */
function nameTag(text, group) {
  const name = element("span", { class: "run-name" });
  const letter = element("span", { class: "letter-tag", "aria-hidden": "true" }, letterOf(group));
  letter.style.setProperty("--colour", colourOf(group));
  name.append(letter, text);
  return name;
}

// Runs of a comparison, each a switch.
function showLegends() {
  for (const legend of document.querySelectorAll(".legend")) {
    /** @type {HTMLElement} */ (legend).hidden = groups.length < 2;
    const focused = legend.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-label")
      : null;
    legend.replaceChildren(
      ...groups.map((group) => {
        const count = group.runs.length > 1 ? ` (${group.runs.length} runs)` : "";
        const tag = nameTag(group.label + count, group.index);
        return button(tag, () => toggle(group), {
          "aria-pressed": String(isShown(group)),
          "data-label": group.label,
        });
      }),
    );
    if (focused !== null)
      [...legend.querySelectorAll("button")].find((b) => b.dataset.label === focused)?.focus();
  }
}

/** @param {Group} group */
function toggle(group) {
  const hidden = isShown(group)
    ? [...state.hidden, group.label]
    : state.hidden.filter((label) => label !== group.label);
  if (hidden.length === groups.length) return; // something stays
  choose({ hidden });
  redrawAll();
}

/**
 * @param {Run} run
 * @param {string} name
 */
function ends(run, name) {
  const points = [...(run.scalars[name] ?? [])].map(([step, value]) => ({ step, value }));
  const known = points.flatMap(({ step, value }) => (value == null ? [] : [{ step, value }]));
  const [first, last] = [known.at(0), known.at(-1)];
  // What a run that has diverged reported before is not how it ended.
  const lostAt = points.at(-1)?.value == null ? points.find((p) => p.step > (last?.step ?? -1)) : null;
  return first && last ? { first, last, lostAt: lostAt?.step } : null;
}

// What training did, in a sentence.
/** @param {Run} run */
function changes(run) {
  const told = [];
  for (const name of [
    "val_loss",
    "loss",
    `${state.tangents}_dimension`,
    `${state.tangents}_norm`,
  ]) {
    const found = ends(run, name);
    if (!found || found.first.step === found.last.step) continue;
    if (name === "loss" && told.length) continue;
    const part = name.endsWith("loss") ? "" : ofPart(runs, state.tangents);
    const words = name === "val_loss" ? "validation loss" : inWords(name) + part;
    const [from, to] = [found.first.value, found.last.value];
    const verb = to < from ? "fell" : to > from ? "rose" : "stayed";
    const lost = found.lostAt === undefined ? "" : `, and is not finite from ${at(found.lostAt)}`;
    const path = verb === "stayed" ? `at ${formatted(from)}` : `from ${formatted(from)} to ${formatted(to)}`;
    told.push(`${words} ${verb} ${path}${lost}`);
  }
  if (!told.length) return "";
  return sentence(joined(told));
}

/** @param {string[]} parts */
const joined = (parts) =>
  `${parts.slice(0, -1).join(", ")}${parts.length > 1 ? " and " : ""}${parts.at(-1)}`;
/** @param {string} text */
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

const MOST_TOLD = 4;

function comparison() {
  const told = [];
  for (const [name, words] of [
    ["val_loss", "validation loss"],
    [`${state.tangents}_dimension`, `${inWords(state.tangents)} dimension${ofPart(runs, state.tangents)}`],
  ]) {
    const found = groups.flatMap((group) => {
      const all = group.runs.map((run) => ends(run, name));
      const values = all.map((end) => (end && end.lostAt === undefined ? end.last.value : null));
      const { value, deviation } = spreadOf(values);
      return value === null ? [] : [{ group, value, deviation }];
    });
    if (found.length < 2) continue;
    const sorted = d3.sort(found, ({ value }) => value);
    const values = sorted.map(({ group, value, deviation }) => {
      const spread = group.runs.length > 1 ? ` ± ${formatted(deviation, 2)}` : "";
      return `${formatted(value)}${spread} (${group.label})`;
    });
    told.push(
      values.length <= MOST_TOLD
        ? `${words} ends at ${joined(values)}`
        : `${words} ends between ${values[0]} and ${values.at(-1)}`,
    );
  }
  return told.map(sentence).join(" ");
}
