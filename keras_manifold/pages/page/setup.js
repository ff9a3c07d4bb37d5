// What the runs were made with, and how their tangent spaces lie to each other.
"use strict";

// Of a run's setup, what a table shows, in this order; what else there is follows.
const SETUP = {
  started: "started",
  seconds: "duration",
  data: "data",
  of: "tangent spaces of",
  k: "tangent vectors, k",
  samples: "samples watched",
  noise: "noise",
  penalties: "penalties",
  loss: "loss",
  optimizer: "optimizer",
  parameters: "parameters",
  epochs: "epochs",
  steps: "batches per epoch",
  backend: "backend",
  seed: "seed",
  versions: "versions",
  watches: "callbacks",
};

function showSetup() {
  const known = runs.some((run) => run.setup);
  byId("setup").hidden = !known;
  if (!known) return;
  const shown = shownRuns();
  const names = [...new Set(shown.flatMap((run) => Object.keys(run.setup ?? {})))];
  const order = Object.keys(SETUP);
  names.sort((a, b) => (order.indexOf(a) + 1 || 99) - (order.indexOf(b) + 1 || 99));
  const rows = names.map((name) => {
    const values = shown.map((run) => run.setup?.[name]);
    const differs = new Set(values.map(comparable)).size > 1;
    return { name, values, differs };
  });
  // Every run has a start and a duration of its own.
  const isOwn = ({ name = "" }) => ["started", "seconds"].includes(name);
  const box = within(byId("setup"), ".tables");
  if (shown.length < 2) {
    box.replaceChildren(setupTable(shown, rows, "As it was written when training began."));
  } else {
    const differing = rows.filter((row) => row.differs && !isOwn(row));
    const others = rows.filter((row) => !row.differs || isOwn(row));
    const nodes = [
      differing.length
        ? setupTable(shown, differing, "What differs")
        : element("p", { class: "note" }, "The runs do not differ in what was written."),
      element(
        "details",
        { class: "rest" },
        element("summary", {}, "What is the same, and when they ran"),
        setupTable(shown, others, "The same in all, or of no weight"),
      ),
    ];
    box.replaceChildren(...nodes);
  }
  box.append(tableTools(() => within(box, "table"), "setup"));
}

// A setting as text that is the same where nothing differs: what is not set may be null or
// missing, and names may stand in another order, as the version that wrote it had them.
/** @param {unknown} value */
function comparable(value) {
  return JSON.stringify(value ?? null, (_, inner) =>
    inner && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).filter(([, v]) => v !== null).sort())
      : inner,
  );
}

/**
 * @param {Run[]} shown
 * @param {{name: string, values: unknown[]}[]} rows
 * @param {string} caption
 */
function setupTable(shown, rows, caption) {
  const heads = shown.map((run) =>
    element("th", { scope: "col" }, isComparison ? runName(run) : "Value"),
  );
  return scrolling(
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Setting"), ...heads)),
      element(
        "tbody",
        {},
        ...rows.map(({ name, values }) =>
          element(
            "tr",
            { "data-name": name },
            element("th", { scope: "row" }, Object.hasOwn(SETUP, name) ? SETUP[/** @type {"of"} */ (name)] : name),
            ...values.map((value) => element("td", {}, settingText(name, value))),
          ),
        ),
      ),
    ),
    `Table: ${caption}`,
  );
}

// A table that is wider than the page moves within it, by keyboard too.
/**
 * @param {HTMLTableElement} table
 * @param {string} name
 */
function scrolling(table, name) {
  return element("div", { class: "scrolling", tabindex: 0, role: "region", "aria-label": name }, table);
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function settingText(name, value) {
  if (name === "seconds" && typeof value === "number") return value ? duration(value) : "–";
  if (name === "started" && !Number.isNaN(Date.parse(String(value))))
    return new Date(String(value)).toLocaleString();
  return inPlainText(value);
}

// Nested settings without the brackets of JSON.
/**
 * @param {unknown} value
 * @returns {string}
 */
function inPlainText(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return String(value).replace(/-/g, "−");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) {
    if (!value.length) return "none";
    const isShape = value.every((v) => typeof v === "number" || v === null);
    return isShape ? `(${value.map((v) => v ?? "any").join(", ")})` : value.map(inPlainText).join("; ");
  }
  if (typeof value === "object") {
    const { class: kind, ...settings } = /** @type {Record<string, unknown>} */ (value);
    const told = Object.entries(settings)
      .filter(([, v]) => v !== null)
      .map(([name, v]) => (isGroup(v) ? `${name} (${inPlainText(v)})` : `${name} ${inPlainText(v)}`))
      .join(", ");
    return typeof kind === "string" ? `${kind}(${told})` : told;
  }
  return String(value);
}

// Settings under a common name, but for those of an object, which show its class.
/** @param {unknown} value */
const isGroup = (value) =>
  Array.isArray(value)
    ? value.length > 1 && value.some((one) => typeof one !== "number" && one !== null)
    : typeof value === "object" && value !== null && !("class" in value);

// --- Angles -----------------------------------------------------------------------------

function showAngles() {
  /** @type {Angles[]} */
  const all = JSON.parse(document.getElementById("angles")?.textContent ?? "[]");
  const found = all.find((angles) => angles.name === state.tangents);
  const shown = shownRuns().filter((run) => found?.mean[runs.indexOf(run)].some((v) => v !== null));
  byId("between").hidden = !found || shown.length < 2;
  if (!found || shown.length < 2) return;
  const rows = shown.map((run, i) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, runName(run)),
      ...shown.map((other, j) => {
        const [a, b] = [runs.indexOf(run), runs.indexOf(other)];
        if (i === j) return element("td", {}, "–");
        const mean = found.mean[a][b];
        const cell = element("td", {}, number(mean, mean === null ? "–" : `${formatted(mean, 3)}°`));
        cell.title = mean === null ? "They watched other samples." : `largest angle ${formatted(found.largest[a][b], 3)}°`;
        cell.style.setProperty("--share", String(Math.round((100 * (mean ?? 0)) / 90)));
        return cell;
      }),
    ),
  );
  const heads = shown.map((run) => element("th", { scope: "col" }, runName(run)));
  const said = [...new Set(found.steps.filter((step) => step !== null))];
  const caption = `Mean principal angle of the ${found.name} spaces${ofPart(shown, found.name)} at ${UNIT} ${said.join(", ")}, the last of each run.`;
  const table = element(
    "table",
    { class: "angles" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Run"), ...heads)),
    element("tbody", {}, ...rows),
  );
  within(byId("between"), ".tables").replaceChildren(
    scrolling(table, "Table of angles"),
    tableTools(() => table, "angles"),
  );
}
