// One picture, large: its input beside it, its values, its history, and a walk along it.
"use strict";

const MOST_IN_HISTORY = 12;
/** @type {Opened | null} */
let opened = null;
let walked = 0; // from -1 to 1, in units of the longest walk
let fillings = 0;
/** @type {number | undefined} */
let walking;

/** @param {Opened} what */
function openTile(what) {
  opened = what;
  walked = 0;
  if (what.kind === "tangents") state.sample = what.sample;
  fillDialog();
  byId("dialog").showModal();
}

/** @param {Opened} what */
const nameOfOpened = ({ kind, run, sample, row: row_ }) =>
  [kind, runs.indexOf(run), sample, row_].join(" ");

/** @param {Opened} what */
const snapshotsOfOpened = ({ kind, run }) =>
  /** @type {Snapshot[]} */ (run[kind][state[kind]] ?? []);

async function fillDialog() {
  const mine = ++fillings;
  if (!opened) return;
  const what = opened;
  const snapshot = picturedAt(snapshotsOfOpened(what), state.step);
  stopWalking();
  if (!snapshot) return byId("dialog").close();
  const body =
    snapshot.kind === "tangents"
      ? await tangentBody(what, snapshot)
      : await reconstructionBody(what, snapshot);
  const history = await historyOf(what, snapshot);
  if (mine !== fillings) return;
  byId("dialog-title").textContent = titleOfOpened(what);
  byId("dialog-facts").replaceChildren(...body.facts);
  byId("dialog-body").replaceChildren(...body.nodes, ...history, navigation(what, snapshot));
  // Charts know their width when they stand in the page.
  const chart = historyChart(what, byId("dialog-body").clientWidth);
  if (chart) within(byId("dialog-body"), ".history").before(chart);
}

/** @param {Opened} what */
function titleOfOpened(what) {
  const run = isComparison ? `, ${what.run.name}` : "";
  const sample = `sample ${what.sample + 1}${run}`;
  if (what.kind === "tangents") {
    const part = ofPart([what.run], state.tangents);
    return `Tangent vector ${Number(what.row) + 1}${part} at ${sample}`;
  }
  const name = String(what.row).replace("_", " ");
  return `${name[0].toUpperCase()}${name.slice(1)} of ${sample}`;
}

/**
 * @param {Opened} what
 * @param {TangentSnapshot} snapshot
 */
async function tangentBody(what, snapshot) {
  const row = Number(what.row);
  const { pictures } = snapshot;
  const names = namesOf(what.run, snapshot.name, pictures);
  const vector = await planesOf(pictures, what.sample, row);
  const limit = pictures.ranges[what.sample][1];
  /** @type {Large[]} */
  const large = [
    { title: "Vector v", letter: "v", sprite: pictures, planes: vector, range: [-limit, limit], names },
  ];
  const sigma = snapshot.singular_values[what.sample]?.[row];
  const facts = [
    `${at(snapshot.step)}, σ${subscript(row + 1)} = `,
    number(sigma, sigma === null ? "not finite" : formatted(sigma)),
    `; a small step of length t along v changes the output by about σt. Values are read from the picture, in steps of `,
    number((2 * limit) / pictures.levels, formatted((2 * limit) / pictures.levels, 2)),
    `.${everyNote(pictures)}`,
  ];
  const source = inputsOf(snapshot);
  const hasInput =
    source.isInput && areAlike(source.sprite, pictures) && what.sample < source.sprite.columns;
  /** @type {Node[]} */
  const controls = [];
  if (hasInput) {
    const input = await planesOf(source.sprite, 0, what.sample);
    const range = source.sprite.ranges[0];
    const { sprite } = source;
    large.unshift({ title: "Input x", letter: "x", sprite, planes: input, range, names });
    const moved = { title: "x + t·v", letter: "x + t·v", sprite, planes: input, range, names };
    large.push(moved);
    const longest = (range[1] - range[0]) / 2 / (d3.max(vector.flatMap((p) => [...p]), Math.abs) || 1);
    controls.push(walkControl(longest, (t) => {
      moved.planes = input.map((plane, c) => plane.map((value, i) => value + t * vector[c][i]));
      redraw(large);
    }));
  }
  return { facts, nodes: [pictureRow(large), ...controls, valueReader(large)] };
}

/**
 * @param {Opened} what
 * @param {ReconstructionSnapshot} snapshot
 */
async function reconstructionBody(what, snapshot) {
  const name = String(what.row);
  const range = commonRange([snapshot]);
  const names = namesOf(what.run, snapshot.name, snapshot.pictures.input);
  const input = await planesOf(snapshot.pictures.input, 0, what.sample);
  /** @type {Large[]} */
  const large = [
    { title: "Input", letter: "input", sprite: snapshot.pictures.input, planes: input, range, names },
  ];
  if (name !== "input") {
    const sprite = snapshot.pictures[name];
    const planes = await planesOf(sprite, 0, what.sample);
    const words = name.replace("_", " ");
    large.push({ title: words[0].toUpperCase() + words.slice(1), letter: words, sprite, planes, range, names });
    const difference = planes.map((plane, c) => plane.map((value, i) => value - input[c][i]));
    const limit = d3.max(difference.flatMap((p) => [...p]), Math.abs) || 1;
    large.push({
      title: `Difference, ±${formatted(limit, 2)}`,
      letter: "difference",
      sprite: { ...sprite, signed: true },
      planes: difference,
      range: [-limit, limit],
      names,
    });
  }
  const error = snapshot.errors[name]?.[what.sample];
  const facts = [
    at(snapshot.step),
    ...(error == null ? [] : [", mean squared error ", number(error)]),
    `.${everyNote(snapshot.pictures.input)}`,
  ];
  return { facts, nodes: [pictureRow(large), valueReader(large)] };
}

// Large samples are thinned: entries are counted in the picture.
/** @param {Sprite} sprite */
const everyNote = ({ every, kind }) =>
  every > 1
    ? ` Every ${ordinal(every)} ${kind === "image" ? "row and column" : "entry"} is shown, and counted below.`
    : "";

/** @param {Large[]} large */
function pictureRow(large) {
  const figures = large.map((one) => {
    one.canvas = newTile(one.sprite, 2);
    return element("figure", {}, element("h3", {}, one.title), one.canvas);
  });
  redraw(large);
  const [{ sprite, names }] = large;
  const row = element("div", { class: sprite.kind === "image" ? "large" : "large of-series" }, ...figures);
  if (sprite.kind === "series" && names)
    row.append(key(names.map((name, channel) => [name, colourOf(channel)])));
  return row;
}

/** @param {Large[]} large */
function redraw(large) {
  for (const { canvas, sprite, planes, range, names } of large)
    if (canvas) draw(canvas, sprite, planes, range, names);
  large[0].canvas?.dispatchEvent(new Event("redrawn"));
}

// The slider of x + t·v, which is the best explanation of a tangent vector.
/**
 * @param {number} longest
 * @param {(t: number) => void} move
 */
function walkControl(longest, move) {
  const slider = element("input", { type: "range", min: -1, max: 1, step: 0.01, id: "walk" });
  const output = element("output", { for: "walk" });
  /** @param {number} share */
  const set = (share) => {
    walked = share;
    const t = share * longest;
    slider.value = String(share);
    const text = `t = ${formatted(t, 3)}`;
    slider.setAttribute("aria-valuetext", text);
    output.textContent = text;
    move(t);
  };
  slider.addEventListener("input", () => (stopWalking(), set(Number(slider.value))));
  const play = button("Walk", () => (walking ? stopWalking() : walk(set)), { id: "walk-play" });
  set(walked);
  return element(
    "div",
    { class: "walk" },
    element("label", { for: "walk" }, "Walk along v"),
    slider,
    output,
    play,
    button("Back to x", () => (stopWalking(), set(0))),
  );
}

/** @param {(share: number) => void} set */
function walk(set) {
  const start = performance.now() - (Math.asin(walked) * 4000) / (2 * Math.PI);
  /** @param {number} now */
  const step = (now) => {
    set(Math.sin((2 * Math.PI * (now - start)) / 4000));
    walking = requestAnimationFrame(step);
  };
  walking = requestAnimationFrame(step);
  byId("walk-play").textContent = "Stop";
}

function stopWalking() {
  if (walking) cancelAnimationFrame(walking);
  walking = undefined;
  const play = document.getElementById("walk-play");
  if (play) play.textContent = "Walk";
}

// Values of an entry, which the pointer or numbers choose.
/** @param {Large[]} large */
function valueReader(large) {
  const [{ sprite, names }] = large;
  const isTable = sprite.kind === "table";
  const isImage = sprite.kind === "image";
  const output = element("output", { class: "values", for: "entry-row entry-column" });
  /** @type {(id: string, text: string, size: number) => [HTMLLabelElement, HTMLInputElement]} */
  const field = (id, text, size) => {
    const input = element("input", { type: "number", id, min: 1, max: size, value: Math.ceil(size / 2) });
    return [element("label", {}, `${text} `, input), input];
  };
  const [rowLabel, row] = field("entry-row", "Row", sprite.height);
  const [columnLabel, column] = field("entry-column", isImage ? "column" : "Entry", sprite.width);
  const tell = () => {
    const [y, x] = [row.valueAsNumber - 1, column.valueAsNumber - 1];
    // Beyond the end of a row nothing is said, rather than the next row's beginning.
    const index = x >= 0 && x < sprite.width ? y * sprite.width + x : NaN;
    const told = large.flatMap(({ letter, planes }, i) => [
      `${i ? ", " : ""}${letter} `,
      element("data", {}, planes.map((p) => formatted(p[index] ?? null, 3)).join(" / ")),
    ]);
    const channels = names && !isTable ? ` (${names.join(" / ")})` : "";
    const entry = names && isTable ? `${names[index] ?? "–"}: ` : "";
    output.replaceChildren(entry, ...told, channels);
  };
  for (const input of [row, column]) input.addEventListener("input", tell);
  for (const { canvas } of large) {
    canvas?.addEventListener("pointermove", (event) => {
      column.value = String(1 + Math.floor((event.offsetX / canvas.clientWidth) * sprite.width));
      if (isImage)
        row.value = String(1 + Math.floor((event.offsetY / canvas.clientHeight) * sprite.height));
      tell();
    });
  }
  large[0].canvas?.addEventListener("redrawn", tell);
  if (!isImage) row.value = "1";
  tell();
  const fields = isImage ? [rowLabel, columnLabel] : [columnLabel];
  return element("p", { class: "reader" }, ...fields, output);
}

// --- History ----------------------------------------------------------------------------

/**
 * @param {Opened} what
 * @param {Snapshot} current
 */
async function historyOf(what, current) {
  const pictured = snapshotsOfOpened(what).filter(
    (one) => hasPictures(one) && hasTile(one, what),
  );
  const most = Math.min(MOST_IN_HISTORY, pictured.length);
  const places = d3.range(most).map((i) => Math.round((i * (pictured.length - 1)) / Math.max(1, most - 1)));
  const range =
    what.kind === "reconstructions"
      ? commonRange(/** @type {ReconstructionSnapshot[]} */ (pictured))
      : null;
  const reference = await tilePlanes(current, what);
  const list = element("ol", { class: "history" });
  for (const snapshot of places.map((i) => pictured[i])) {
    const { sprite, row } = tileOf(snapshot, what);
    const tile = newTile(sprite);
    const planes = await tilePlanes(snapshot, what);
    const turned = what.kind === "tangents" && dot(planes, reference) < 0;
    const shown = turned ? planes.map((plane) => plane.map((value) => -value)) : planes;
    draw(tile, sprite, shown, range ?? sprite.ranges[row]);
    const isCurrent = snapshot.step === current.step;
    const opener = button(tile, () => goTo(snapshot.step), {
      class: "open",
      "aria-label": `Go to ${at(snapshot.step)}`,
      ...(isCurrent ? { "aria-current": "true" } : {}),
    });
    list.append(element("li", {}, opener, element("span", {}, String(snapshot.step))));
  }
  const note =
    what.kind === "tangents"
      ? "Signs, which mean nothing, are turned to agree with the vector above."
      : "";
  return [
    element("h3", {}, `Over ${UNIT === "batch" ? "batches" : "epochs"}`),
    list,
    element("p", { class: "note" }, note),
  ];
}

/**
 * @param {Snapshot} snapshot
 * @param {Opened} what
 */
function tileOf(snapshot, what) {
  return snapshot.kind === "tangents"
    ? { sprite: snapshot.pictures, row: what.sample, column: Number(what.row) }
    : { sprite: snapshot.pictures[what.row], row: 0, column: what.sample };
}

/**
 * @param {Snapshot} snapshot
 * @param {Opened} what
 */
function hasTile(snapshot, what) {
  const { sprite, row, column } = tileOf(snapshot, what);
  return sprite && row < sprite.rows && column < sprite.columns;
}

/**
 * @param {Snapshot} snapshot
 * @param {Opened} what
 */
function tilePlanes(snapshot, what) {
  const { sprite, row, column } = tileOf(snapshot, what);
  return planesOf(sprite, row, column);
}

/** @type {(a: Float64Array[], b: Float64Array[]) => number} */
const dot = (a, b) => d3.sum(a, (plane, c) => d3.sum(plane, (value, i) => value * b[c][i]));

// The singular value, or the error, over all snapshots.
/**
 * @param {Opened} what
 * @param {number} width
 */
function historyChart(what, width) {
  const points = snapshotsOfOpened(what).map((one) => ({
    step: one.step,
    value:
      one.kind === "tangents"
        ? one.singular_values[what.sample]?.[Number(what.row)]
        : one.errors[what.row]?.[what.sample],
  }));
  if (points.length < 2 || points.every((p) => p.value == null)) return null;
  const label =
    what.kind === "tangents" ? `σ${subscript(Number(what.row) + 1)}` : "mean squared error";
  const chart = Plot.plot({
    width,
    height: 138,
    marginLeft: 48,
    marginRight: 16,
    marginBottom: 38,
    style: { fontSize: "12px" },
    x: { label: UNIT, ticks: wholeTicks([points[0].step, points[points.length - 1].step], Math.min(6, points.length)), tickFormat: wholeNumber },
    y: { label, grid: true, ticks: 3, tickFormat: axisNumber, nice: true },
    marks: [
      Plot.lineY(points, { x: "step", y: "value", stroke: colourOf(0), strokeWidth: 2 }),
      Plot.dot(dotted(points), { x: "step", y: "value", fill: colourOf(0), r: 2.5 }),
      Plot.tip(
        points.map((p) => ({ ...p, text: `${at(p.step)}\n${label}: ${formatted(p.value)}` })),
        Plot.pointerX({ x: "step", y: "value", ...TIP }),
      ),
    ],
  });
  markStep(chart, state.step);
  const known = points.filter((p) => p.value != null);
  return boxOf(
    chart,
    `${label} from ${formatted(known[0].value)} at ${at(known[0].step)} to ${formatted(known.at(-1)?.value)} at ${at(known.at(-1)?.step ?? 0)}.`,
  );
}

/**
 * @param {Opened} what
 * @param {Snapshot} snapshot
 */
function navigation(what, snapshot) {
  /** @type {(text: string, changed: Partial<Opened>, isThere: boolean) => HTMLElement} */
  const other = (text, changed, isThere) =>
    button(
      text,
      () => {
        opened = { ...what, ...changed };
        fillDialog().then(() => focusOn(text));
      },
      isThere ? {} : { disabled: "" },
    );
  const nodes = [];
  if (snapshot.kind === "tangents") {
    const row = Number(what.row);
    nodes.push(other("Previous vector", { row: row - 1 }, row > 0));
    nodes.push(other("Next vector", { row: row + 1 }, row + 1 < snapshot.pictures.columns));
  } else {
    const { columns } = snapshot.pictures.input;
    nodes.push(other("Previous sample", { sample: what.sample - 1 }, what.sample > 0));
    nodes.push(other("Next sample", { sample: what.sample + 1 }, what.sample + 1 < columns));
  }
  nodes.push(button("Save as PNG", () => savePictures(titleOfOpened(what))));
  return element("div", { class: "navigation" }, ...nodes);
}

// The button of the same name in what was filled anew.
/** @param {string} text */
function focusOn(text) {
  const buttons = byId("dialog-body").querySelectorAll("button");
  const found = [...buttons].find((one) => one.textContent === text && !one.disabled);
  (found ?? byId("dialog-close")).focus();
}

function connectDialog() {
  const dialog = byId("dialog");
  byId("dialog-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  dialog.addEventListener("close", () => {
    stopWalking();
    fillings++;
    // What opened it may have been drawn anew since.
    const name = opened && nameOfOpened(opened);
    const openers = [...document.querySelectorAll("[data-opens]")];
    const opener = openers.find((one) => one.getAttribute("data-opens") === name);
    if (opener instanceof HTMLElement) opener.focus();
    opened = null;
    byId("dialog-body").replaceChildren();
  });
}
