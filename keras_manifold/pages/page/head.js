// The head of the page: what the runs are, and what training did in a sentence.
"use strict";

function showHead() {
  const last = steps.at(-1);
  const facts = [];
  if (runs.length > 1) facts.push(plural(runs.length, "run"));
  const word = PICTURES.some((kind) => state[kind]) ? "look" : UNIT;
  if (last !== undefined)
    facts.push(
      `${plural(steps.length, word)}, the last ${word === "look" ? `at ${UNIT} ` : ""}${last}`,
    );
  facts.push(`written ${written.toLocaleString()}`);
  if (isRunning) facts.push("the run goes on, this page loads itself again");
  byId("facts").textContent = `${facts.join(" · ")}.`;
  byId("written").textContent = written.toLocaleString();
  byId("summary").textContent = runs.length > 1 ? comparison() : changes(runs[0]);
  const unreadable = runs.flatMap((run) => run.unreadable);
  byId("notes").hidden = unreadable.length === 0;
  byId("notes").textContent =
    `Could not be read: ${unreadable.slice(0, 5).join(", ")}${unreadable.length > 5 ? " and others" : ""}.`;
  for (const box of document.querySelectorAll(".runs"))
    box.classList.toggle("alone", runs.length === 1);
  byId("legend").hidden = runs.length === 1;
  byId("legend").replaceChildren(
    ...runs.map((run, i) => element("li", {}, runName(run, i))),
  );
}

/**
 * @param {Run} run
 * @param {number} index
 */
function runName(run, index) {
  const name = element(
    "span",
    { class: "run-name", "data-letter": letterOf(index) },
    run.label,
  );
  name.style.setProperty("--colour", colourOf(index));
  return name;
}

/**
 * @param {Run} run
 * @param {string} name
 */
function ends(run, name) {
  /** @type {Point[]} */
  const points = [...(run.scalars[name] ?? [])].map(([step, value]) => ({ step, value }));
  const known = points.flatMap(({ step, value }) => (value == null ? [] : [{ step, value }]));
  const [first, last] = [known.at(0), known.at(-1)];
  return first && last ? { first, last } : null;
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
    const words = name === "val_loss" ? "validation loss" : inWords(name);
    const verb = found.last.value < found.first.value ? "fell" : "rose";
    told.push(
      `${words} ${verb} from ${formatted(found.first.value)} to ${formatted(found.last.value)}`,
    );
  }
  if (!told.length) return "";
  const text = `${told.slice(0, -1).join(", ")}${told.length > 1 ? " and " : ""}${told.at(-1)}.`;
  return text[0].toUpperCase() + text.slice(1);
}

function comparison() {
  const told = [];
  for (const [name, words] of [
    ["val_loss", "validation loss"],
    [`${state.tangents}_dimension`, `${inWords(state.tangents)} dimension`],
  ]) {
    const found = runs.flatMap((run) => {
      const end = ends(run, name)?.last.value;
      return end == null ? [] : [{ run, end }];
    });
    if (found.length < 2) continue;
    const values = d3
      .sort(found, ({ end }) => end)
      .map(({ run, end }) => `${formatted(end)} (${run.label})`);
    told.push(`${words} ends at ${values.slice(0, -1).join(", ")} and ${values.at(-1)}`);
  }
  return told.map((text) => `${text[0].toUpperCase()}${text.slice(1)}.`).join(" ");
}
