// Spectra: of one run a sample, the mean and the range; of several the sample, overlaid.
"use strict";

// One scale for all snapshots of all runs; what is beyond it is rounding.
/**
 * @param {Run[]} all
 * @param {string} name
 * @returns {Interval}
 */
function spectrumDomain(all, name) {
  const snapshots = all.flatMap((run) => run.tangents[name] ?? []);
  const high = d3.max(snapshots, (one) => d3.max(one.high, (v) => v)) || 1;
  const low =
    d3.min(snapshots, (one) =>
      d3.min(one.low, (v) => (v != null && v > high * 1e-5 ? v : null)),
    ) ?? high / 10;
  return low < high ? [low, high] : [high / 10, high];
}

/** @param {number} width */
function spectrumFigure(width) {
  const name = state.tangents;
  const domain = spectrumDomain(runs, name);
  const lines = isComparison ? comparedSpectra(name) : ownSpectra(name);
  const figure = element("figure");
  if (!lines.some((line) => line.values.length)) {
    figure.append(element("p", { class: "note" }, "No snapshot yet."));
    return figure;
  }
  const box = boxOf(spectrumChart(lines, width, domain), spectrumSummary(lines));
  figure.append(key(lines.map(({ label, colour, isDashed }) => [label, colour, isDashed])), box);
  const notes = spectrumNotes(lines, domain);
  if (notes) figure.append(element("figcaption", {}, notes));
  figure.append(savingTools(() => within(box, "svg"), `spectrum-${UNIT}-${state.step}`));
  return figure;
}

// The sample, the mean with the range of all samples, and the sample at the beginning.
/**
 * @param {string} name
 * @returns {SpectrumLine[]}
 */
function ownSpectra(name) {
  const snapshots = runs[0].tangents[name];
  const now = snapshotAt(snapshots, state.step);
  if (!now) return [];
  const [first] = snapshots;
  const sample = `sample ${state.sample + 1}`;
  const colour = colourOf(0);
  /** @type {SpectrumLine[]} */
  const lines = [{ label: sample, colour, values: now.spectrum[state.sample] ?? [] }];
  if (now.samples > 1)
    lines.push({
      label: `mean of ${plural(now.samples, "sample")} (band: range)`,
      colour,
      isDashed: true,
      values: now.mean,
      band: [now.low, now.high],
    });
  if (first !== now)
    lines.push({
      label: `${sample} at ${at(first.step)}`,
      colour: "var(--quiet)",
      values: first.spectrum[state.sample] ?? [],
    });
  return lines;
}

// The sample in each run, of runs of one label the mean and the range.
/**
 * @param {string} name
 * @returns {SpectrumLine[]}
 */
function comparedSpectra(name) {
  return shownGroups().map((group) => {
    const found = group.runs.flatMap((run) => {
      const values = snapshotAt(run.tangents[name], state.step)?.spectrum[state.sample];
      return values ? [values] : [];
    });
    const indices = d3.range(d3.max(found, (values) => values.length) ?? 0);
    /** @type {(of: (values: Numbers) => number | null | undefined) => Numbers} */
    const over = (of) =>
      indices.map((i) => {
        const column = found.map((values) => values[i] ?? null);
        return column.includes(null) ? null : (of(column) ?? null);
      });
    const many = found.length > 1;
    return {
      label: many ? `${group.label}, mean of ${found.length} (band: range)` : group.label,
      letter: letterOf(group.index),
      colour: colourOf(group.index),
      values: over((column) => d3.mean(column, (v) => v)),
      band: many
        ? [over((column) => d3.min(column, (v) => v)), over((column) => d3.max(column, (v) => v))]
        : undefined,
    };
  });
}

/**
 * @param {SpectrumLine[]} lines
 * @param {number} width
 * @param {Interval} domain
 */
function spectrumChart(lines, width, domain) {
  const [floor] = domain;
  const longest = d3.max(lines, (line) => line.values.length) ?? 1;
  /** @type {(line: SpectrumLine) => {index: number, value: number | null}[]} */
  const points = (line) =>
    line.values.map((value, i) => ({
      index: i + 1,
      value: value == null || value < floor ? null : value,
    }));
  const chart = Plot.plot({
    width,
    height: Math.max(250, Math.min(380, width / 2.4)),
    marginLeft: 48,
    marginRight: isComparison ? 30 : 16,
    marginBottom: 38,
    style: { fontSize: "12px" },
    x: {
      domain: [1, Math.max(2, longest)],
      label: "index",
      ticks: wholeTicks([1, Math.max(2, longest)], Math.min(8, longest, width / 50)),
      tickFormat: wholeNumber,
    },
    y: { type: "log", domain, label: null, grid: true, ticks: logTicks(domain), tickFormat: axisNumber },
    marks: [
      ...lines.map(({ band, colour }) =>
        band
          ? Plot.areaY(
              band[0].map((low, i) => ({
                index: i + 1,
                low: low == null ? null : Math.max(low, floor),
                high: band[1][i] == null ? null : Math.max(band[1][i], floor),
              })),
              { x: "index", y1: "low", y2: "high", fill: colour, fillOpacity: 0.14 },
            )
          : null,
      ),
      ...lines.toReversed().map((line) =>
        Plot.line(points(line), {
          x: "index",
          y: "value",
          stroke: line.colour,
          strokeWidth: 2,
          strokeDasharray: line.isDashed ? DASHES : undefined,
        }),
      ),
      ...lines.map((line) =>
        line.isDashed || line.values.length > 40
          ? null
          : Plot.dot(points(line), { x: "index", y: "value", fill: line.colour, r: 2.5 }),
      ),
      Plot.tip(
        d3.range(longest).map((i) => ({
          index: i + 1,
          value: Math.max(lines.find((line) => line.values[i] != null)?.values[i] ?? floor, floor),
          text: spectrumText(lines, i),
        })),
        Plot.pointerX({ x: "index", y: "value", ...TIP }),
      ),
    ],
  });
  if (groups.length > 1) {
    const ends = lines.flatMap(({ values, letter, colour }) => {
      const value = values.findLast((v) => v != null && v >= floor);
      return value == null || !letter ? [] : [{ letter, colour, value }];
    });
    addLetters(chart, ends, width - 16);
  }
  return chart;
}

/**
 * @param {SpectrumLine[]} lines
 * @param {number} i
 */
function spectrumText(lines, i) {
  const rows = lines.map(({ label, values, band }) => {
    const range = band ? ` (${formatted(band[0][i])} to ${formatted(band[1][i])})` : "";
    return `${label.replace(" (band: range)", "")}: ${formatted(values[i])}${range}`;
  });
  return [`singular value ${i + 1}`, ...rows].join("\n");
}

/** @param {SpectrumLine[]} lines */
function spectrumSummary(lines) {
  const told = lines.map(({ label, values }) => {
    const known = values.flatMap((v) => v ?? []);
    return known.length
      ? `${label}: ${plural(known.length, "value")}, from ${formatted(known[0])} to ${formatted(known.at(-1))}.`
      : `${label}: nothing finite.`;
  });
  return `Singular values${ofPart(runs, state.tangents)} at ${at(state.step)}, sample ${state.sample + 1}. ${told.join(" ")}`;
}

/**
 * @param {SpectrumLine[]} lines
 * @param {Interval} domain
 */
function spectrumNotes(lines, [floor]) {
  const notes = [];
  const below = d3.sum(lines, ({ values }) => values.filter((v) => v != null && v < floor).length);
  if (below) notes.push(`${plural(below, "value")} below ${formatted(floor, 2)} not shown.`);
  const now = shownRuns().flatMap((run) => snapshotAt(run.tangents[state.tangents], state.step) ?? []);
  const cut = now.find((one) => one.values > one.mean.length);
  if (cut) notes.push(`The first ${cut.mean.length} of ${cut.values} values.`);
  const late = now.find((one) => one.step !== state.step);
  if (late && !isComparison) notes.push(`Snapshot of ${at(late.step)}.`);
  return notes.join(" ");
}
