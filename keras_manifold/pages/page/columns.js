// A column for each run: tangent vectors, spectrum, reconstructions.
"use strict";

// --- Tangent vectors --------------------------------------------------------------------

function showSamples() {
  const last = looksOf("tangents").find(Boolean)?.at(-1);
  byId("tangents").hidden = byId("spectrum").hidden = !last;
  if (!last) return;
  const sources = samplePictures(last);
  const labels = d3.range(samplesShown()).map((sample) => {
    const input = element("input", {
      type: "radio",
      name: "sample",
      value: sample,
      id: `sample-${sample}`,
    });
    input.checked = sample === state.sample;
    input.setAttribute("aria-label", `Sample ${sample + 1}`);
    input.addEventListener("change", () => choose({ sample }));
    const label = element("label", {}, input);
    if (sample < (sources.isInput ? sources.sprite.columns : sources.sprite.rows)) {
      const tile = newTile(sources.sprite, "");
      tile.setAttribute("aria-hidden", "true");
      const [row, column] = sources.isInput ? [0, sample] : [sample, 0];
      drawTile(tile, sources.sprite, row, column);
      label.append(tile);
    }
    label.append(element("span", { "aria-hidden": "true" }, String(sample + 1)));
    return label;
  });
  within(byId("samples"), "div").replaceChildren(...labels);
  const all = last.samples;
  const legend =
    all > labels.length ? `Sample, the first ${labels.length} of ${all}` : "Sample";
  within(byId("samples"), "legend").textContent = legend;
  within(byId("samples"), ".note").textContent = sources.note ?? "";
  byId("samples").hidden = labels.length < 2 && !sources.isInput;
}

// Pictures of the samples: from the file of the looks itself, or else the inputs of the
// reconstructions if they can be the same samples, or else the first tangent vectors.
/**
 * @param {TangentLook} look
 * @returns {{sprite: Sprite, isInput: boolean, note?: string}}
 */
function samplePictures(look) {
  if (look.inputs) return { sprite: look.inputs, isInput: true };
  const run = runs.find((one) => one.tangents[state.tangents]);
  const grid = Object.values(run?.reconstructions ?? {})[0]?.[0];
  const isAlike =
    grid &&
    /** @type {const} */ (["kind", "channels", "height", "width"]).every(
      (name) => grid.pictures[name] === look.pictures[name],
    );
  if (isAlike) {
    return {
      sprite: grid.pictures,
      isInput: true,
      note: "Pictures: inputs of the reconstructions, taken to be the same samples.",
    };
  }
  return {
    sprite: look.pictures,
    isInput: false,
    note: "Pictures: the first tangent vector of each.",
  };
}

/** @param {Look} look */
function lookNote(look) {
  return look.step === state.step ? "" : ` Look of ${UNIT} ${look.step}.`;
}

async function tangentColumns() {
  const shown = looksOf("tangents").map((looks) => lookAt(looks, state.step));
  // One scale for all runs.
  const limit = d3.max(shown, (look) => look?.pictures.ranges[state.sample]?.[1]) ?? 1;
  return Promise.all(shown.map((look, index) => tangentColumn(look, index, limit)));
}

/**
 * @param {TangentLook | undefined} look
 * @param {number} index
 * @param {number} limit
 */
async function tangentColumn(look, index, limit) {
  const column = element("div");
  if (runs.length > 1) column.append(element("h3", {}, runName(runs[index], index)));
  if (!look || state.sample >= look.pictures.rows) {
    column.append(element("p", { class: "note" }, "No look at this sample yet."));
    return column;
  }
  const { pictures } = look;
  const values = look.singular_values[state.sample];
  const list = element("ol", {
    class: pictures.kind === "image" ? "vectors" : "vectors of-series",
  });
  const drawn = d3.range(pictures.columns).map((i) => {
    const tile = newTile(
      pictures,
      `Tangent vector ${i + 1} of sample ${state.sample + 1}, singular value ${formatted(values[i])}`,
    );
    const caption = element(
      "span",
      {},
      `σ${subscript(i + 1)} `,
      element("data", { value: String(values[i]) }, formatted(values[i])),
    );
    list.append(element("li", {}, tile, caption));
    return drawTile(tile, pictures, state.sample, i, [-limit, limit]);
  });
  column.append(list, scaleBar(pictures, limit));
  const notes = [];
  if (look.vectors > pictures.columns)
    notes.push(`The first ${pictures.columns} of ${look.vectors} vectors.`);
  if (pictures.every > 1)
    notes.push(
      `Every ${pictures.every}${pictures.every === 2 ? "nd" : pictures.every === 3 ? "rd" : "th"} entry is shown.`,
    );
  const note = notes.join(" ") + lookNote(look);
  if (note) column.append(element("p", { class: "note" }, note));
  await Promise.all(drawn);
  return column;
}

/**
 * @param {Sprite} pictures
 * @param {number} limit
 */
function scaleBar(pictures, limit) {
  const label = `±${formatted(limit)}`;
  const isImage = pictures.kind === "image";
  if (!isImage || pictures.channels === 3) {
    return element(
      "p",
      { class: "scale" },
      `Scale: ${label}${isImage ? ", zero is grey" : ""}`,
    );
  }
  const bar = element("canvas", {
    role: "img",
    "aria-label": `Scale of the colours, ${label}; negative blue, positive red`,
  });
  drawScale(bar);
  return element(
    "div",
    { class: "scale" },
    `−${formatted(limit)}`,
    bar,
    `+${formatted(limit)}`,
  );
}

/** @type {(number: number) => string} */
const subscript = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);

// --- Spectrum ---------------------------------------------------------------------------

/** @param {number} width */
function spectrumColumns(width) {
  const name = state.tangents;
  const domain = spectrumDomain(runs, name);
  return runs.map((run, index) => {
    const look = lookAt(run.tangents[name], state.step);
    const figure = element("figure");
    if (runs.length > 1) figure.append(element("h3", {}, runName(run, index)));
    if (!look) {
      figure.append(element("p", { class: "note" }, "No look yet."));
      return figure;
    }
    const first = run.tangents[name][0];
    const colour = colourOf(index);
    /** @type {[string, string, boolean?][]} */
    const entries = [[`sample ${state.sample + 1}`, colour]];
    if (look.samples > 1)
      entries.push([
        `mean of ${plural(look.samples, "sample")} (band: range)`,
        colour,
        true,
      ]);
    if (first !== look)
      entries.push([`sample ${state.sample + 1} at ${UNIT} ${first.step}`, "var(--quiet)"]);
    const label = `Singular values at ${UNIT} ${look.step}, from ${formatted(look.mean[0])} to ${formatted(look.mean.at(-1))} in the mean`;
    const chart = spectrumChart(look, first, {
      width,
      domain,
      sample: state.sample,
      colour,
      label,
    });
    figure.append(key(entries), element("div", { class: "chart" }, chart));
    const cut =
      look.values > look.mean.length
        ? `The first ${look.mean.length} of ${look.values} values.`
        : "";
    if (cut || lookNote(look))
      figure.append(element("figcaption", {}, cut + lookNote(look)));
    return figure;
  });
}

/** @param {[text: string, colour: string, isDashed?: boolean][]} entries */
function key(entries) {
  return element(
    "ul",
    { class: "key" },
    ...entries.map(([text, colour, isDashed]) => {
      const dash = isDashed ? ` stroke-dasharray="5 3"` : "";
      const item = element("li");
      item.innerHTML = `<svg viewBox="0 0 28 10" aria-hidden="true"><path d="M1 5h26" stroke="${colour}" stroke-width="2.5"${dash}/></svg>`;
      item.append(text);
      return item;
    }),
  );
}

// --- Reconstructions --------------------------------------------------------------------

/** @param {number} width */
async function reconstructionColumns(width) {
  const shown = looksOf("reconstructions").map((looks) => lookAt(looks, state.step));
  const ranges = shown.flatMap((look) => (look ? [look.pictures.ranges[0]] : []));
  /** @type {Interval} */
  const range = [d3.min(ranges, (r) => r[0]) ?? 0, d3.max(ranges, (r) => r[1]) ?? 1];
  return Promise.all(
    shown.map((look, index) => reconstructionColumn(look, index, range, width)),
  );
}

/**
 * @param {ReconstructionLook | undefined} look
 * @param {number} index
 * @param {Interval} range
 * @param {number} width
 */
async function reconstructionColumn(look, index, range, width) {
  const column = element("div");
  if (runs.length > 1) column.append(element("h3", {}, runName(runs[index], index)));
  if (!look) {
    column.append(element("p", { class: "note" }, "No look yet."));
    return column;
  }
  const { columns, kind } = look.pictures;
  const fit = Math.max(1, Math.floor((width - 102) / (kind === "image" ? 50 : 120)));
  // Lines of about equal length.
  const lines = Math.ceil(columns / fit);
  const perLine = Math.ceil(columns / lines);
  /** @type {Promise<void>[]} */
  const drawn = [];
  for (let start = 0; start < columns; start += perLine) {
    const samples = d3.range(start, Math.min(columns, start + perLine));
    column.append(strips(look, samples, perLine, range, drawn));
  }
  const notes = [`Numbers: mean squared error of each reconstruction from its input.`];
  if (look.samples > columns)
    notes.push(`The first ${columns} of ${look.samples} samples.`);
  column.append(element("p", { class: "note" }, notes.join(" ") + lookNote(look)));
  await Promise.all(drawn);
  return column;
}

/**
 * @param {ReconstructionLook} look
 * @param {number[]} samples
 * @param {number} perLine
 * @param {Interval} range
 * @param {Promise<void>[]} drawn
 */
function strips(look, samples, perLine, range, drawn) {
  const grid = element("div", { class: "strips" });
  grid.style.gridTemplateColumns = `5.9rem repeat(${perLine}, minmax(0, 6.5rem))`;
  look.rows.forEach((row, i) => {
    grid.append(
      rowOf(element("span", {}, row.replace("_", " ")), samples, perLine, (sample) => {
        const tile = newTile(
          look.pictures,
          `${row.replace("_", " ")} of sample ${sample + 1}`,
        );
        drawn.push(drawTile(tile, look.pictures, i, sample, range));
        return tile;
      }),
    );
    const errors = look.errors[row];
    if (!errors) return;
    grid.append(
      rowOf(
        element("span", { "aria-label": `error of ${row}` }),
        samples,
        perLine,
        (sample) =>
          element(
            "span",
            { class: "error" },
            element("data", { value: String(errors[sample]) }, shortly(errors[sample])),
          ),
      ),
    );
  });
  return grid;
}

/**
 * @param {HTMLElement} name
 * @param {number[]} samples
 * @param {number} perLine
 * @param {(sample: number) => HTMLElement} cell
 */
function rowOf(name, samples, perLine, cell) {
  const row = document.createDocumentFragment();
  row.append(name, ...samples.map(cell));
  for (let i = samples.length; i < perLine; i++) row.append(element("span"));
  return row;
}

/** @param {number | null | undefined} value */
function shortly(value) {
  if (value == null) return "–";
  if (value >= 10 && value < 1e5) return value.toFixed(0);
  return value === 0 || (value >= 1e-3 && value < 10)
    ? value.toPrecision(2)
    : value.toExponential(0);
}
