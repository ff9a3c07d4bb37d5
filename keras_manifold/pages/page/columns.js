// A column for each run: tangent vectors and reconstructions.
"use strict";

/** @type {(run: Run) => HTMLElement[]} */
const headingOf = (run) => (isComparison ? [element("h3", {}, runName(run))] : []);

// --- Samples ----------------------------------------------------------------------------

function showSamples() {
  const all = runs.flatMap((run) => run.tangents[state.tangents] ?? []);
  const last = all.findLast(hasPictures);
  byId("tangents").hidden = byId("spectrum").hidden = !last;
  if (!last) return;
  const sources = inputsOf(last);
  const choices = d3.range(samplesShown()).map((sample) => {
    const input = element("input", {
      type: "radio",
      name: "sample",
      value: sample,
      id: `sample-${sample}`,
      "aria-label": `Sample ${sample + 1}${last.labels ? `, ${last.labels[sample]}` : ""}`,
    });
    input.checked = sample === state.sample;
    input.addEventListener("change", () => choose({ sample }));
    const label = element("label", {}, input);
    if (sample < (sources.isInput ? sources.sprite.columns : sources.sprite.rows)) {
      const tile = newTile(sources.sprite);
      const [row, column] = sources.isInput ? [0, sample] : [sample, 0];
      drawTile(tile, sources.sprite, row, column);
      label.append(tile);
    }
    const text = last.labels ? `${sample + 1}: ${last.labels[sample]}` : String(sample + 1);
    label.append(element("span", { "aria-hidden": "true" }, text));
    return label;
  });
  within(byId("samples"), "div").replaceChildren(...choices);
  const legend =
    last.samples > choices.length
      ? `Sample, the first ${choices.length} of ${last.samples}`
      : "Sample";
  within(byId("samples"), "legend").textContent = legend;
  const notes = [sources.note ?? "", otherSamples()].filter(Boolean);
  within(byId("samples"), ".note").textContent = notes.join(" ");
  byId("samples").hidden = choices.length < 2 && !sources.isInput;
}

// Comparing sample by sample means something for the same samples only.
function otherSamples() {
  const inputs = runs.map((run) => run.tangents[state.tangents]?.at(-1)?.inputs?.picture);
  const known = new Set(inputs.filter(Boolean));
  return known.size > 1
    ? "The runs watched different samples: the pictures are those of the first."
    : "";
}

// Pictures of the samples: from the file of the snapshots itself, or else the inputs of the
// reconstructions if they can be the same samples, or else the first tangent vectors.
/**
 * @param {TangentSnapshot} snapshot
 * @returns {{sprite: Sprite, isInput: boolean, note?: string}}
 */
function inputsOf(snapshot) {
  if (snapshot.inputs) return { sprite: snapshot.inputs, isInput: true };
  const run = runs.find((one) => one.tangents[snapshot.name]?.includes(snapshot));
  const grid = Object.values(run?.reconstructions ?? {})[0]?.[0]?.pictures.input;
  if (grid && areAlike(grid, snapshot.pictures)) {
    return {
      sprite: grid,
      isInput: true,
      note: "Pictures: inputs of the reconstructions, taken to be the same samples.",
    };
  }
  return {
    sprite: snapshot.pictures,
    isInput: false,
    note: "Pictures: the first tangent vector of each.",
  };
}

/** @type {(a: Sprite, b: Sprite) => boolean} */
const areAlike = (a, b) =>
  /** @type {const} */ (["kind", "channels", "height", "width", "every"]).every(
    (name) => a[name] === b[name],
  );

// --- Tangent vectors --------------------------------------------------------------------

async function tangentColumns() {
  const shown = shownRuns().map((run) => ({
    run,
    snapshot: picturedAt(run.tangents[state.tangents], state.step),
  }));
  // One scale for all runs.
  const limit = d3.max(shown, ({ snapshot }) => snapshot?.pictures.ranges[state.sample]?.[1]) ?? 1;
  return Promise.all(shown.map(({ run, snapshot }) => tangentColumn(run, snapshot, limit)));
}

/**
 * @param {Run} run
 * @param {TangentSnapshot | undefined} snapshot
 * @param {number} limit
 */
async function tangentColumn(run, snapshot, limit) {
  const column = element("div", {}, ...headingOf(run));
  if (!snapshot || state.sample >= snapshot.pictures.rows) {
    column.append(element("p", { class: "note" }, "No snapshot of this sample yet."));
    return column;
  }
  const { pictures } = snapshot;
  const { sample } = state;
  const values = snapshot.singular_values[sample];
  const list = element("ol", {
    class: pictures.kind === "image" ? "vectors" : "vectors of-series",
  });
  const drawn = d3.range(pictures.columns).map((i) => {
    const tile = newTile(pictures);
    const label = `Tangent vector ${i + 1} at sample ${sample + 1}, singular value ${values[i] === null ? "not finite" : formatted(values[i])}: open`;
    const opener = tileButton(tile, label, { kind: "tangents", run, sample, row: i });
    const caption = element(
      "span",
      { class: "caption" },
      `σ${subscript(i + 1)} `,
      number(values[i], values[i] === null ? "not finite" : formatted(values[i], 3)),
    );
    list.append(element("li", {}, opener, caption));
    return drawTile(tile, pictures, sample, i, [-limit, limit]);
  });
  column.append(list, scaleBar(pictures, limit), ...channelKey(run, snapshot.name, pictures));
  const notes = [];
  const part = ofPart([run], snapshot.name);
  if (part && !ofPart(runs, snapshot.name)) notes.push(`Tangent vectors${part}.`);
  if (snapshot.vectors > pictures.columns)
    notes.push(`The first ${pictures.columns} of ${snapshot.vectors} vectors.`);
  if (pictures.every > 1) notes.push(`Every ${ordinal(pictures.every)} entry is shown.`);
  if (pictures.kind === "table" && namesOf(run, snapshot.name, pictures))
    notes.push("Open one to see the names of its entries.");
  notes.push(snapshotNote(snapshot));
  column.append(element("p", { class: "note" }, notes.filter(Boolean).join(" ")));
  await Promise.all(drawn);
  return column;
}

// What the colours of a series are, where its channels have names.
/**
 * @param {Run} run
 * @param {string} prefix
 * @param {Sprite} sprite
 */
function channelKey(run, prefix, sprite) {
  const names = sprite.kind === "series" ? namesOf(run, prefix, sprite) : null;
  return names ? [key(names.map((name, channel) => [name, colourOf(channel)]))] : [];
}

/** @param {Snapshot} snapshot */
const snapshotNote = (snapshot) =>
  snapshot.step === state.step ? "" : `Snapshot of ${at(snapshot.step)}.`;

/** @param {number} count */
const ordinal = (count) => `${count}${{ 2: "nd", 3: "rd" }[count] ?? "th"}`;

/** @type {(number: number) => string} */
const subscript = (index) => String(index).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);

/**
 * @param {Sprite} pictures
 * @param {number} limit
 */
function scaleBar(pictures, limit) {
  const label = formatted(limit);
  const isImage = pictures.kind === "image";
  if (!isImage || pictures.channels === 3) {
    return element("p", { class: "scale" }, `Scale: ±${label}${isImage ? ", zero is grey" : ""}`);
  }
  const bar = element("canvas", {
    role: "img",
    "aria-label": `Scale of the colours, ±${label}; negative blue, positive red`,
  });
  drawScale(bar);
  return element("div", { class: "scale" }, number(-limit), bar, number(limit, `+${label}`));
}

// --- Reconstructions --------------------------------------------------------------------

/** @param {number} width */
async function reconstructionColumns(width) {
  const shown = shownRuns().map((run) => ({
    run,
    snapshot: picturedAt(run.reconstructions[state.reconstructions], state.step),
  }));
  const range = commonRange(shown.flatMap(({ snapshot }) => snapshot ?? []));
  return Promise.all(
    shown.map(({ run, snapshot }) => reconstructionColumn(run, snapshot, range, width)),
  );
}

// One scale for all rows: that of the data. Noise leaves it, and would make all else grey.
/**
 * @param {ReconstructionSnapshot[]} snapshots
 * @returns {Interval}
 */
function commonRange(snapshots) {
  const ranges = snapshots.flatMap((one) =>
    one.rows.flatMap((row) => (row === "noisy_input" ? [] : one.pictures[row].ranges)),
  );
  return [d3.min(ranges, (r) => r[0]) ?? 0, d3.max(ranges, (r) => r[1]) ?? 1];
}

/**
 * @param {Run} run
 * @param {ReconstructionSnapshot | undefined} snapshot
 * @param {Interval} range
 * @param {number} width
 */
async function reconstructionColumn(run, snapshot, range, width) {
  const column = element("div", {}, ...headingOf(run));
  if (!snapshot) {
    column.append(element("p", { class: "note" }, "No snapshot yet."));
    return column;
  }
  const { columns, kind } = snapshot.pictures.input;
  const fit = Math.max(1, Math.floor((width - 102) / (kind === "image" ? 50 : 80)));
  // Lines of about equal length.
  const lines = Math.ceil(columns / fit);
  const perLine = Math.ceil(columns / lines);
  /** @type {Promise<void>[]} */
  const drawn = [];
  for (let start = 0; start < columns; start += perLine) {
    const samples = d3.range(start, Math.min(columns, start + perLine));
    column.append(strips(run, snapshot, samples, perLine, range, drawn));
  }
  column.append(...channelKey(run, snapshot.name, snapshot.pictures.input));
  const notes = ["Numbers: mean squared error of each reconstruction from its input."];
  if (snapshot.samples > columns)
    notes.push(`The first ${columns} of ${snapshot.samples} samples.`);
  notes.push(snapshotNote(snapshot));
  column.append(element("p", { class: "note" }, notes.filter(Boolean).join(" ")));
  await Promise.all(drawn);
  return column;
}

/**
 * @param {Run} run
 * @param {ReconstructionSnapshot} snapshot
 * @param {number[]} samples
 * @param {number} perLine
 * @param {Interval} range
 * @param {Promise<void>[]} drawn
 */
function strips(run, snapshot, samples, perLine, range, drawn) {
  const grid = element("div", { class: "strips" });
  grid.style.gridTemplateColumns = `5.9rem repeat(${perLine}, minmax(0, 6.5rem))`;
  for (const row of snapshot.rows) {
    const name = row.replace("_", " ");
    const sprite = snapshot.pictures[row];
    grid.append(
      rowOf(name, samples, perLine, (sample) => {
        const tile = newTile(sprite);
        drawn.push(drawTile(tile, sprite, 0, sample, range));
        const label = `${name} of sample ${sample + 1}: open`;
        return tileButton(tile, label, { kind: "reconstructions", run, sample, row });
      }),
    );
    const errors = snapshot.errors[row];
    if (errors)
      grid.append(
        rowOf("error", samples, perLine, (sample) =>
          element(
            "span",
            { class: "error" },
            number(errors[sample], formatted(errors[sample], 2)),
          ),
        ),
      );
  }
  return grid;
}

/**
 * @param {string} name
 * @param {number[]} samples
 * @param {number} perLine
 * @param {(sample: number) => HTMLElement} cell
 */
function rowOf(name, samples, perLine, cell) {
  const row = document.createDocumentFragment();
  row.append(element("span", {}, name), ...samples.map(cell));
  for (let i = samples.length; i < perLine; i++) row.append(element("span"));
  return row;
}

/**
 * @param {HTMLCanvasElement} tile
 * @param {string} label
 * @param {Opened} opened
 */
function tileButton(tile, label, opened) {
  return button(tile, () => openTile(opened), {
    class: "open",
    "data-opens": nameOfOpened(opened),
    "aria-label": label,
    "aria-haspopup": "dialog",
  });
}
