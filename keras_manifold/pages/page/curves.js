// Curves of what training reported: of each run, or of runs of one label their mean.
"use strict";

// Quantities by panel: training with its validation, the norm with the largest singular
// value.
/**
 * @param {Run[]} all
 * @returns {Panel[]}
 */
function panelsOf(all) {
  const names = [...new Set(all.flatMap((run) => Object.keys(run.scalars)))].filter(
    (name) => name !== "epoch", // of snapshots by batches
  );
  /** @type {(name: string) => string} */
  const base = (name) => name.replace(/^val_/, "");
  const bases = [...new Set(names.map(base))];
  /** @type {Panel[]} */
  const panels = [];
  const watched = namesIn(all, "tangents").flatMap((prefix) =>
    ["dimension", "norm", "top", "drift"].map((suffix) => `${prefix}_${suffix}`),
  );
  const others = bases.filter((name) => !watched.includes(name));
  // The loss first, what else `fit` reports after it.
  for (const name of d3.sort(others, (other) => other !== "loss")) {
    const series = [name, `val_${name}`].filter((one) => names.includes(one));
    panels.push({
      title: `${inWords(name)}${ofQuantity(all, name)}`,
      series: series.map((one) => ({
        name: one,
        label: one === name ? "training" : "validation",
        isDashed: one !== name,
      })),
    });
  }
  for (const prefix of namesIn(all, "tangents")) {
    const part = ofPart(all, prefix);
    /** @type {(suffix: string) => boolean} */
    const has = (suffix) => names.includes(`${prefix}_${suffix}`);
    /** @type {(suffix: string, label?: string, isDashed?: boolean) => Series} */
    const one = (suffix, label = "", isDashed = false) => ({
      name: `${prefix}_${suffix}`,
      label,
      isDashed,
    });
    if (has("dimension"))
      panels.push({ title: tangentTitle(prefix, "dimension", part), series: [one("dimension")] });
    if (has("norm") || has("top")) {
      const series = [
        one("norm", SHARED.tangentTitles.norm),
        one("top", SHARED.tangentTitles.top, true),
      ];
      panels.push({
        title: `${inWords(prefix)} norm${part}`,
        series: series.filter(({ name }) => names.includes(name)),
      });
    }
    if (has("drift")) {
      panels.push({
        title: tangentTitle(prefix, "drift", part),
        series: [one("drift")],
        isAngle: true,
      });
    }
  }
  return panels;
}

// Lines of a panel: one for each series of each label that has it.
/**
 * @param {Panel} panel
 * @returns {Line[]}
 */
function linesOf(panel) {
  return shownGroups().flatMap((group) =>
    panel.series
      .filter(({ name }) => group.runs.some((run) => run.scalars[name]))
      .map((series) => ({
        ...series,
        group,
        // A single label has a colour for each series, several have one each.
        colour: colourOf(groups.length > 1 ? group.index : panel.series.indexOf(series)),
        points: meansOf(group, series.name),
      })),
  );
}

// Means over the runs of a label, with their spread. Where one is not finite, none is.
/**
 * @param {Group} group
 * @param {string} name
 * @returns {Point[]}
 */
function meansOf(group, name) {
  const columns = group.runs.map((run) => ({ run, column: run.scalars[name] ?? new Map() }));
  const found = new Set(columns.flatMap(({ column }) => [...column.keys()]));
  return d3.sort(found).map((step) => {
    const having = columns.filter(({ column }) => column.has(step));
    const values = having.map(({ column }) => /** @type {number | null} */ (column.get(step)));
    const x = state.along === "time" ? d3.mean(having, ({ run }) => timeOf(run, step)) : step;
    return { step, x: x ?? null, count: values.length, ...spreadOf(values) };
  });
}

/** @param {Numbers} values */
function spreadOf(values) {
  const isFinite = values.length > 0 && values.every((value) => value != null);
  const value = isFinite ? (d3.mean(values, (v) => v) ?? null) : null;
  const deviation = (isFinite && d3.deviation(values, (v) => v)) || 0;
  return { value, deviation };
}

// Seconds from the start of a run to a step: from the times of its snapshots' files, and
// between two snapshots by their mean pace.
/**
 * @param {Run} run
 * @param {number} step
 */
function timeOf(run, step) {
  const known = [...run.seconds];
  const after = known.findIndex(([s]) => s >= step);
  if (after === -1) return undefined;
  const [laterStep, later] = known[after];
  const first = startOf(run);
  if (laterStep === step || after === 0) {
    return laterStep === step ? later - first : undefined;
  }
  const [sooner, soon] = known[after - 1];
  return soon + ((step - sooner) / (laterStep - sooner)) * (later - soon) - first;
}

/** @param {Run} run */
function startOf(run) {
  const [[, first]] = run.seconds;
  const said = Date.parse(String(run.setup?.started ?? "")) / 1000;
  return said <= first && said > first - 86400 ? said : first;
}

// Whether the files still have the times of training: copied ones may not.
/** @param {Run} run */
function hasTimes(run) {
  const times = [...run.seconds.values()];
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const said = Number(run.setup?.seconds) || NaN; // 0 while it runs
  const isLikely = !(span > 1.5 * said + 60);
  return span > 1 && isLikely && d3.pairs(times).every(([a, b]) => a <= b);
}

/**
 * @param {Panel} panel
 * @param {{width: number, domain: Interval, times: TimeScale | null}} options
 */
function curvesChart(panel, { width, domain, times }) {
  const isLog = state.scale === "log" && !panel.isAngle;
  const all = linesOf(panel);
  /** @type {(p: Point) => boolean} */
  const isInside = (p) => p.x !== null && p.x >= domain[0] && p.x <= domain[1];
  const lines = all.map((line) => ({ ...line, points: line.points.filter(isInside) }));
  const drawn = lines.map((line) => ({
    ...line,
    points: line.points.map((p) => (isLog && !((p.value ?? 0) > 0) ? { ...p, value: null } : p)),
  }));
  const values = drawn.flatMap((line) => line.points.flatMap((p) => p.value ?? []));
  const limits = state.isTrimmed ? trimmed(values, isLog) : null;
  const beyond = values.filter((v) => limits && (v < limits[0] || v > limits[1])).length;
  const tips = d3.groups(
    lines.flatMap((line) => line.points.map((p) => ({ ...p, line }))),
    (p) => p.step,
  );
  const largest = d3.max(values) ?? 1;
  const marginRight = (panel.isAngle ? 40 : 12) + (groups.length > 1 ? 16 : 0);
  /** @type {(value: number) => number} */
  const held = (value) =>
    limits ? Math.min(limits[1], Math.max(limits[0], value)) : value;
  const chart = Plot.plot({
    width,
    height: 216,
    marginLeft: 48,
    marginRight,
    marginBottom: 38,
    style: { fontSize: "12px" },
    x: {
      domain,
      label: times ? times.unit : UNIT,
      ticks: wholeTicks(domain, Math.min(6, width / 60)),
      tickFormat: times ? (s) => axisNumber(s / times.size) : wholeNumber,
      ...(times
        ? { ticks: d3.ticks(domain[0] / times.size, domain[1] / times.size, 5).map((t) => t * times.size) }
        : {}),
    },
    y: {
      ...(isLog ? { type: "log" } : {}),
      ...(limits ? { domain: limits } : { nice: !isLog }),
      label: null,
      grid: true,
      ticks: isLog ? logTicks(limits ?? [d3.min(values) ?? 1, d3.max(values) ?? 1]) : 5,
      tickFormat: axisNumber,
    },
    marks: [
      ...drawn.flatMap((line) => [
        line.group.runs.length > 1
          ? Plot.areaY(
              line.points.filter((p) => p.value != null),
              {
                x: "x",
                y1: (p) => lowOf(p, isLog, held),
                y2: (p) => held(p.value + p.deviation),
                fill: line.colour,
                fillOpacity: 0.15,
              },
            )
          : null,
        Plot.line(line.points, {
          x: "x",
          y: "value",
          stroke: line.colour,
          strokeWidth: 2,
          strokeDasharray: line.isDashed ? DASHES : undefined,
          clip: limits ? true : undefined,
        }),
        Plot.dot(dotted(line.points).filter((p) => p.value == null || held(p.value) === p.value), {
          x: "x",
          y: "value",
          fill: line.colour,
          r: 2.5,
        }),
        Plot.dot(
          line.points.filter((p) => p.value != null && held(p.value) !== p.value),
          { x: "x", y: (p) => held(p.value), fill: line.colour, r: 4, symbol: "triangle" },
        ),
      ]),
      ...(panel.isAngle ? angleAxes(largest) : []),
      Plot.tip(
        tips.map(([step, points]) => ({
          x: points.find((p) => p.x != null)?.x,
          value: held(points.find((p) => p.value != null)?.value ?? NaN),
          text: tipText(panel, step, points),
        })),
        Plot.pointerX({ x: "x", y: "value", ...TIP }),
      ),
    ],
  });
  if (groups.length > 1) addLetters(chart, endsOf(drawn), width - 14);
  return { chart, lines, notes: notesOf(all, lines, { isLog, beyond, values }) };
}

/** @type {(p: Point, isLog: boolean, held: (value: number) => number) => number} */
function lowOf(p, isLog, held) {
  const low = (p.value ?? 0) - p.deviation;
  return held(isLog ? Math.max(low, (p.value ?? 1) / 10) : low);
}

/** @param {Line[]} lines */
function endsOf(lines) {
  return lines
    .filter((line) => !line.isDashed)
    .flatMap((line) => {
      const last = line.points.findLast((p) => p.value != null)?.value;
      const { index } = line.group;
      return last == null ? [] : [{ letter: letterOf(index), colour: line.colour, value: last }];
    });
}

// Where most values lie.
/**
 * @param {number[]} values
 * @param {boolean} isLog
 * @returns {Interval | null}
 */
function trimmed(values, isLog) {
  const [low, high] = [d3.quantile(values, 0.02), d3.quantile(values, 0.9)];
  if (low === undefined || high === undefined || low === high) return null;
  const rim = isLog ? 1 : 0.05 * (high - low);
  return isLog ? [low / 1.1, high * 1.1] : [low - rim, high + rim];
}

// What a panel does not show.
/**
 * @param {Line[]} all
 * @param {Line[]} lines
 * @param {{isLog: boolean, beyond: number, values: number[]}} found
 */
function notesOf(all, lines, { isLog, beyond }) {
  const notes = [];
  const count = d3.sum(all, (line) => line.points.length) - d3.sum(lines, (l) => l.points.length);
  if (count) {
    const cut = all.flatMap((line) =>
      line.points.filter((p) => !lines.some((one) => one.points.includes(p))),
    );
    const [low, high] = d3.extent(cut, (p) => p.value ?? undefined);
    const range = low === undefined ? "" : `, from ${formatted(low)} to ${formatted(high)}`;
    notes.push(`${plural(count, "value")} cut at the sides${range}.`);
  }
  if (beyond)
    notes.push(`${plural(beyond, "value")} beyond the panel, at the triangles.`);
  const flat = lines.flatMap((line) => line.points);
  const below = flat.filter((p) => p.value != null && p.value <= 0).length;
  if (isLog && below)
    notes.push(`${plural(below, "value")} of 0 or less, which this axis has no place for.`);
  const lost = flat.filter((p) => p.value == null).length;
  if (lost) notes.push(`${plural(lost, "value")} not finite.`);
  return notes.join(" ");
}

// Radians at the left, as in the logs, and degrees at the right.
/** @param {number} largest */
function angleAxes(largest) {
  const degrees = d3.ticks(0, (largest * 180) / Math.PI, 4);
  return [
    Plot.axisY({ label: null, ticks: 5, tickFormat: axisNumber }),
    Plot.axisY(
      degrees.map((angle) => (angle * Math.PI) / 180),
      { anchor: "right", label: null, tickFormat: (_, i) => `${degrees[i]}°` },
    ),
  ];
}

// Points that no line shows, and all of them where there are few.
/**
 * @template {{value?: number | null}} P
 * @param {P[]} points
 */
function dotted(points) {
  if (points.length <= 40) return points;
  return points.filter(
    (_, i) => points[i - 1]?.value == null && points[i + 1]?.value == null,
  );
}

/**
 * @param {Panel} panel
 * @param {number} step
 * @param {(Point & {line: Line})[]} points
 */
function tipText(panel, step, points) {
  const rows = points.map(({ value, deviation, count, line }) => {
    const names = [groups.length > 1 ? line.group.label : "", line.label].filter(Boolean);
    const degrees =
      panel.isAngle && value != null ? ` (${formatted((value * 180) / Math.PI)}°)` : "";
    const spread = count > 1 ? ` ± ${formatted(deviation, 2)} (${count} runs)` : "";
    return `${names.length ? `${names.join(", ")}: ` : ""}${formatted(value)}${degrees}${spread}`;
  });
  return [at(step), ...rows].join("\n");
}

// The curves in words.
/**
 * @param {Panel} panel
 * @param {Line[]} lines
 */
function summaryOf(panel, lines) {
  const told = lines.map((line) => {
    const known = line.points.filter((p) => p.value != null);
    const [first, last] = [known.at(0), known.at(-1)];
    const least = d3.least(known, (p) => p.value ?? Infinity);
    const name = [groups.length > 1 ? line.group.label : "", line.label].filter(Boolean);
    const words = `${name.join(", ") || panel.title}: `;
    if (!first || !last || !least) return `${words}nothing finite.`;
    const path = `from ${formatted(first.value)} at ${at(first.step)} to ${formatted(last.value)} at ${at(last.step)}`;
    return `${words}${path}, lowest ${formatted(least.value)} at ${at(least.step)}.`;
  });
  return `Curves of ${panel.title}. ${told.join(" ")}`;
}
