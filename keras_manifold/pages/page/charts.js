// Curves and spectra, by Observable Plot.
"use strict";

const DASHES = "6 4";

// Quantities by panel: training with its validation, the norm with the largest singular
// value. Each is {title, series: [{name, label, isDashed}]}.
/**
 * @param {Run[]} runs
 * @returns {Panel[]}
 */
function panelsOf(runs) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.scalars)))].filter(
    (name) => name !== "epoch", // of looks by batches
  );
  /** @type {(name: string) => string} */
  const base = (name) => name.replace(/^val_/, "");
  const bases = [...new Set(names.map(base))];
  /** @type {Panel[]} */
  const panels = [];
  const watched = namesIn(runs, "tangents").flatMap((prefix) =>
    ["dimension", "norm", "top", "drift"].map((suffix) => `${prefix}_${suffix}`),
  );
  const others = bases.filter((name) => !watched.includes(name));
  // The loss first, what else `fit` reports after it.
  for (const name of d3.sort(others, (other) => other !== "loss")) {
    const series = [name, `val_${name}`].filter((one) => names.includes(one));
    panels.push({
      title: inWords(name),
      series: series.map((one) => ({
        name: one,
        label: one === name ? "training" : "validation",
        isDashed: one !== name,
      })),
    });
  }
  for (const prefix of namesIn(runs, "tangents")) {
    /** @type {(suffix: string) => boolean} */
    const has = (suffix) => names.includes(`${prefix}_${suffix}`);
    /** @type {(suffix: string, label?: string, isDashed?: boolean) => Series} */
    const one = (suffix, label = "", isDashed = false) => ({
      name: `${prefix}_${suffix}`,
      label,
      isDashed,
    });
    if (has("dimension"))
      panels.push({ title: tangentTitle(prefix, "dimension"), series: [one("dimension")] });
    if (has("norm") || has("top")) {
      const series = [
        one("norm", SHARED.tangentTitles.norm),
        one("top", SHARED.tangentTitles.top, true),
      ];
      panels.push({
        title: `${inWords(prefix)} norm`,
        series: series.filter(({ name }) => names.includes(name)),
      });
    }
    if (has("drift")) {
      panels.push({
        title: tangentTitle(prefix, "drift"),
        series: [one("drift")],
        isAngle: true,
      });
    }
  }
  return panels;
}

// Lines of a panel: one for each series of each run that has it.
/**
 * @param {Run[]} runs
 * @param {Panel} panel
 * @returns {Line[]}
 */
function linesOf(runs, panel) {
  return runs.flatMap((run, index) =>
    panel.series
      .filter(({ name }) => run.scalars[name])
      .map((series) => ({
        ...series,
        run: index,
        // A single run has a colour for each series, several have one each.
        colour: colourOf(runs.length > 1 ? index : panel.series.indexOf(series)),
        points: [...run.scalars[series.name]].map(([step, value]) => ({ step, value })),
      })),
  );
}

/**
 * @param {Run[]} runs
 * @param {Panel} panel
 * @param {{width: number, domain: [number, number]}} options
 * @returns {Chart}
 */
function curvesChart(runs, panel, { width, domain }) {
  const lines = linesOf(runs, panel);
  const steps = d3.groups(
    lines.flatMap((line) => line.points.map((p) => ({ ...p, line }))),
    (p) => p.step,
  );
  const largest = d3.max(lines, (line) => d3.max(line.points, (p) => p.value)) ?? 1;
  const right = (panel.isAngle ? 40 : 12) + (runs.length > 1 ? 14 : 0);
  const chart = Plot.plot({
    width,
    height: 210,
    marginLeft: 48,
    marginRight: right,
    marginBottom: 32,
    style: { fontSize: "12px" },
    ariaLabel: `Curves of ${panel.title}`,
    x: {
      domain,
      label: UNIT,
      ticks: Math.min(6, width / 60),
      tickFormat: (d) => (Number.isInteger(d) ? String(d) : ""),
    },
    y: { nice: true, label: null, grid: true, ticks: 5, tickFormat: axisNumber },
    marks: [
      ...lines.flatMap((line) => [
        Plot.line(line.points, {
          x: "step",
          y: "value",
          stroke: line.colour,
          strokeWidth: 2,
          strokeDasharray: line.isDashed ? DASHES : undefined,
        }),
        Plot.dot(dotted(line.points), { x: "step", y: "value", fill: line.colour, r: 2.5 }),
      ]),
      ...(panel.isAngle ? angleAxes(largest) : []),
      Plot.tip(
        steps.map(([step, points]) => ({
          step,
          value: points.find((p) => p.value != null)?.value,
          text: tipText(runs, panel, step, points),
        })),
        Plot.pointerX({
          x: "step",
          y: "value",
          title: "text",
          fontSize: 12,
          lineHeight: 1.3,
        }),
      ),
    ],
  });
  chart.setAttribute("role", "img");
  if (runs.length > 1) addLetters(chart, lines, width - 14);
  return chart;
}

// Radians at the left, as in the logs, and degrees at the right.
/** @param {number} largest */
function angleAxes(largest) {
  const degrees = d3.ticks(0, (largest * 180) / Math.PI, 4);
  return [
    Plot.axisY({ label: null, ticks: 5, tickFormat: axisNumber }),
    Plot.axisY(
      degrees.map((angle) => (angle * Math.PI) / 180),
      {
        anchor: "right",
        label: null,
        tickFormat: (_, i) => `${degrees[i]}°`,
      },
    ),
  ];
}

/** @param {number} value */
function axisNumber(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return d3.format(".1~e")(value);
  return d3.format(".4~g")(value);
}

// Points that no line shows, and all of them where there are few.
/** @param {Point[]} points */
function dotted(points) {
  if (points.length <= 40) return points;
  return points.filter(
    (_, i) => points[i - 1]?.value == null && points[i + 1]?.value == null,
  );
}

/**
 * @param {Run[]} runs
 * @param {Panel} panel
 * @param {number} step
 * @param {(Point & {line: Line})[]} points
 */
function tipText(runs, panel, step, points) {
  const rows = points.map(({ value, line }) => {
    const names = [runs.length > 1 ? runs[line.run].label : "", line.label].filter(Boolean);
    const degrees =
      panel.isAngle && value != null ? ` (${formatted((value * 180) / Math.PI)}°)` : "";
    return `${names.length ? `${names.join(", ")}: ` : ""}${formatted(value)}${degrees}`;
  });
  return [`${UNIT} ${step}`, ...rows].join("\n");
}

// The letter of each run at the end of its curve, moved apart where curves end together.
/**
 * @param {Chart} chart
 * @param {Line[]} lines
 * @param {number} x
 */
function addLetters(chart, lines, x) {
  const y = chart.scale("y");
  const ends = lines
    .filter((line) => !line.isDashed)
    .flatMap((line) => {
      const last = line.points.findLast((p) => p.value != null)?.value;
      return last == null ? [] : [{ line, at: y.apply(last) }];
    })
    .sort((a, b) => a.at - b.at);
  ends.forEach((end, i) => {
    if (i) end.at = Math.max(end.at, ends[i - 1].at + 13);
  });
  for (const { line, at } of ends) {
    d3.select(chart)
      .append("text")
      .attr("x", x)
      .attr("y", at)
      .attr("dy", "0.35em")
      .attr("font-weight", 700)
      .attr("fill", line.colour)
      .text(letterOf(line.run));
  }
}

/**
 * @param {Chart} chart
 * @param {number} step
 */
function markStep(chart, step) {
  const x = chart.scale("x").apply(step);
  const [bottom, top] = chart.scale("y").range;
  d3.select(chart)
    .selectAll("line.chosen")
    .data([step])
    .join("line")
    .attr("class", "chosen")
    .attr("x1", x)
    .attr("x2", x)
    .attr("y1", bottom)
    .attr("y2", top);
}

// Which step a click on a chart means.
/**
 * @param {Chart} chart
 * @param {MouseEvent} event
 */
function stepUnder(chart, event) {
  const box = chart.getBoundingClientRect();
  const inside = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
  return chart.scale("x").invert(inside);
}

// One scale for all looks of all runs; what is beyond it is rounding.
/**
 * @param {Run[]} runs
 * @param {string} name
 * @returns {Interval}
 */
function spectrumDomain(runs, name) {
  const looks = runs.flatMap((run) => run.tangents[name] ?? []);
  const high = d3.max(looks, (look) => d3.max(look.high, (v) => v)) || 1;
  const low =
    d3.min(looks, (look) =>
      d3.min(look.low, (v) => (v != null && v > high * 1e-5 ? v : null)),
    ) ?? high / 10;
  return low < high ? [low, high] : [high / 10, high];
}

/**
 * @param {TangentLook} look
 * @param {TangentLook} first
 * @param {{width: number, domain: Interval, sample: number, colour: string, label: string}} options
 */
function spectrumChart(look, first, { width, domain, sample, colour, label }) {
  const [floor] = domain;
  /** @type {(values: Numbers | undefined) => {index: number, value: number | null}[]} */
  const points = (values) =>
    (values ?? []).map((value, i) => ({
      index: i + 1,
      value: value == null ? null : Math.max(value, floor),
    }));
  const band = look.low.map((low, i) => ({
    index: i + 1,
    low: low == null ? null : Math.max(low, floor),
    high: look.high[i] == null ? null : Math.max(look.high[i], floor),
  }));
  const own = look.spectrum[sample];
  /** @type {(values: Numbers | undefined, options: Record<string, unknown>) => MarkOfPlot} */
  const line = (values, options) =>
    Plot.line(points(values), { x: "index", y: "value", ...options });
  const chart = Plot.plot({
    width,
    height: 250,
    marginLeft: 48,
    marginBottom: 32,
    style: { fontSize: "12px" },
    ariaLabel: label,
    x: {
      domain: [1, Math.max(2, look.mean.length)],
      label: "index",
      ticks: Math.min(8, look.mean.length, width / 50),
      tickFormat: (d) => (Number.isInteger(d) ? String(d) : ""),
    },
    y: { type: "log", domain, label: null, grid: true, ticks: 4, tickFormat: axisNumber },
    marks: [
      Plot.areaY(band, {
        x: "index",
        y1: "low",
        y2: "high",
        fill: colour,
        fillOpacity: 0.14,
      }),
      first === look
        ? null
        : line(first.spectrum[sample], {
            stroke: "currentColor",
            strokeOpacity: 0.4,
            strokeWidth: 1.5,
          }),
      look.samples === 1
        ? null
        : line(look.mean, { stroke: colour, strokeWidth: 1.5, strokeDasharray: DASHES }),
      line(own, { stroke: colour, strokeWidth: 2 }),
      own && own.length <= 40
        ? Plot.dot(points(own), { x: "index", y: "value", fill: colour, r: 2.5 })
        : null,
      Plot.tip(
        band.map(({ index }) => ({
          index,
          value: Math.max(own?.[index - 1] ?? look.mean[index - 1] ?? floor, floor),
          text: spectrumText(look, first, own, index - 1),
        })),
        Plot.pointerX({
          x: "index",
          y: "value",
          title: "text",
          fontSize: 12,
          lineHeight: 1.3,
        }),
      ),
    ],
  });
  chart.setAttribute("role", "img");
  return chart;
}

/**
 * @param {TangentLook} look
 * @param {TangentLook} first
 * @param {Numbers | undefined} own
 * @param {number} i
 */
function spectrumText(look, first, own, i) {
  return [
    `singular value ${i + 1}`,
    own ? `this sample: ${formatted(own[i])}` : null,
    `mean: ${formatted(look.mean[i])}`,
    `range: ${formatted(look.low[i])} to ${formatted(look.high[i])}`,
    first === look ? null : `mean at ${UNIT} ${first.step}: ${formatted(first.mean[i])}`,
  ]
    .filter(Boolean)
    .join("\n");
}
