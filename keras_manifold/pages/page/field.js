// Where the model moves points of the plane of its samples.
"use strict";

// Arrows are drawn by one factor, so that the longest spans this many cells of the grid.
const LONGEST_ARROW = 2;
// Sides that differ by more are hardly in one unit: each axis has its own scale then.
const MOST_UNLIKE = 10;
// A snapshot whose arrows are so many times as long as any before would hide all others.
const MOST_UNUSUAL = 10;

/** @param {number} width */
function fieldFigures(width) {
  const runs = shownRuns();
  const all = runs.map((run) => run.reconstructions[state.reconstructions] ?? []);
  return runs.flatMap((run) => {
    const snapshots = run.reconstructions[state.reconstructions];
    const snapshot = snapshotAt(snapshots, state.step);
    if (!snapshot?.field) return [];
    const colour = colourOf(run.group);
    const longest = longestArrow(all, snapshot.field);
    const names = namesOf(run, state.reconstructions, snapshot.pictures.input);
    const chart = fieldChart(snapshot.field, longest, names ?? [], width, colour);
    const box = boxOf(chart, fieldSummary(snapshot));
    const figure = element("figure", {}, ...headingOf(run), box);
    figure.append(element("figcaption", {}, fieldNote(snapshot, longest)));
    figure.append(savingTools(() => within(box, "svg"), `field-${run.name}-${UNIT}-${state.step}`));
    return [figure];
  });
}

// The longest of all snapshots on this grid, of all runs on the page: what shrinks in training, or
// is shorter in one run than in another, is drawn so. A snapshot that diverged does not count for
// the others, and has its own.
/**
 * @param {ReconstructionSnapshot[][]} runs
 * @param {Field} field
 * @returns {Arrow & { isUnusual: boolean }}
 */
function longestArrow(runs, field) {
  /** @type {(field: Field) => string} */
  const corners = ({ points }) => [points.length, points[0], points.at(-1)].join();
  const usual = runs.flatMap((snapshots) =>
    usualFields(snapshots.flatMap((one) => (one.field && corners(one.field) === corners(field) ? [one.field] : []))),
  );
  if (!usual.includes(field)) return { ...longestOf(field), isUnusual: true };
  return { ...longer(usual.map(longestOf)), isUnusual: false };
}

// Those whose arrows are not many times as long as any before them in the run.
/** @type {(fields: Field[]) => Field[]} */
function usualFields(fields) {
  let before = Infinity;
  return fields.filter((field) => {
    const { cells } = longestOf(field);
    const isUsual = cells <= MOST_UNUSUAL * before;
    if (isUsual && cells) before = before === Infinity ? cells : Math.max(before, cells);
    return isUsual;
  });
}

/** @typedef {{ cells: number, length: number }} Arrow */

/** @type {(arrows: Arrow[]) => Arrow} */
const longer = (arrows) =>
  arrows.reduce((most, arrow) => (arrow.cells > most.cells ? arrow : most), { cells: 0, length: 0 });

/** @type {(field: Field) => Arrow} */
function longestOf({ points, moved }) {
  const [width, height] = cellOf(points);
  return longer(
    finite(moved).map(([dx, dy]) => ({
      cells: Math.hypot(dx / width, dy / height),
      length: Math.hypot(dx, dy),
    })),
  );
}

/** @type {(moved: Field["moved"]) => [number, number][]} */
const finite = (moved) => moved.flatMap(([dx, dy]) => (dx === null || dy === null ? [] : [[dx, dy]]));

// Width and height of a cell of the grid.
/** @param {Field["points"]} points */
function cellOf(points) {
  return [0, 1].map((axis) => {
    const values = new Set(points.map((point) => point[axis]));
    return sideOf(points, axis) / (values.size - 1) || 1;
  });
}

/** @type {(points: Field["points"], axis: number) => number} */
function sideOf(points, axis) {
  const [low = 0, high = 0] = d3.extent(points, (point) => point[axis]);
  return high - low;
}

/**
 * @param {Field} field
 * @param {{ cells: number }} longest
 * @param {string[]} names
 * @param {number} width
 * @param {string} colour
 */
function fieldChart({ points, moved, data }, longest, names, width, colour) {
  const size = Math.min(width, 560);
  const height = Math.round(0.85 * size);
  const arrows = points.flatMap(([x1, y1], i) => {
    const [dx, dy] = moved[i];
    return dx === null || dy === null ? [] : [{ x1, y1, dx, dy, length: Math.hypot(dx, dy) }];
  });
  const domains = fieldDomains(points, [size - 48 - 20, height - 34 - 20]);
  const factor = LONGEST_ARROW / (longest.cells || 1);
  const shown = arrows.map((arrow) => ({
    ...arrow,
    x2: arrow.x1 + factor * arrow.dx,
    y2: arrow.y1 + factor * arrow.dy,
    text: `from ${formatted(arrow.x1)}, ${formatted(arrow.y1)}\nmoved by ${formatted(arrow.length)}`,
  }));
  const [label1 = "entry 1", label2 = "entry 2"] = names;
  return Plot.plot({
    width: size,
    height,
    marginLeft: 48,
    marginRight: 20,
    marginTop: 20,
    marginBottom: 34,
    style: { fontSize: "12px" },
    x: { domain: domains[0], label: label1, labelAnchor: "center", labelArrow: "none", ticks: 5, tickFormat: axisNumber },
    y: { domain: domains[1], label: label2, labelArrow: "none", ticks: 5, tickFormat: axisNumber },
    marks: [
      Plot.dot(data, { x: "0", y: "1", fill: "currentColor", fillOpacity: 0.35, r: 2.5 }),
      Plot.arrow(shown, {
        x1: "x1",
        y1: "y1",
        x2: "x2",
        y2: "y2",
        stroke: colour,
        strokeWidth: 1.3,
        headLength: 5,
      }),
      Plot.tip(shown, Plot.pointer({ x: "x1", y: "y1", ...TIP })),
    ],
  });
}

// Of one scale, unless the sides of the grid are too unlike for one unit.
/**
 * @param {Field["points"]} points
 * @param {[number, number]} pixels
 */
function fieldDomains(points, pixels) {
  /** @type {(axis: number) => Interval} */
  const domain = (axis) => {
    const [low = -1, high = 1] = d3.extent(points, (point) => point[axis]);
    const rim = 0.04 * (high - low || 1);
    return [low - rim, high + rim];
  };
  /** @type {[Interval, Interval]} */
  const domains = [domain(0), domain(1)];
  return areUnlike(points) ? domains : alike(domains, pixels);
}

/** @param {Field["points"]} points */
function areUnlike(points) {
  const sides = [sideOf(points, 0), sideOf(points, 1)];
  return Math.max(...sides) > MOST_UNLIKE * Math.min(...sides);
}

/** @param {ReconstructionSnapshot} snapshot */
function fieldSummary(snapshot) {
  const { moved } = /** @type {Field} */ (snapshot.field);
  const lengths = moved.flatMap(([dx, dy]) => (dx === null || dy === null ? [] : [Math.hypot(dx, dy)]));
  return `Where the model moves ${plural(moved.length, "point")} at ${at(snapshot.step)}: by ${formatted(d3.median(lengths))} in the median, by ${formatted(d3.max(lengths))} at most.`;
}

/**
 * @param {ReconstructionSnapshot} snapshot
 * @param {Arrow & { isUnusual: boolean }} longest
 */
function fieldNote(snapshot, longest) {
  const { points, moved, data } = /** @type {Field} */ (snapshot.field);
  const here = d3.max(finite(moved), ([dx, dy]) => Math.hypot(dx, dy)) ?? 0;
  const notes = longest.isUnusual
    ? [
        `Arrows from points of a grid towards what the model makes of them. They are more than ${MOST_UNUSUAL} times as long as at any snapshot before, and drawn by a factor of this snapshot's own.`,
        `The longest here stands for ${formatted(here, 3)}. Dots: the samples.`,
      ]
    : [
        "Arrows from points of a grid towards what the model makes of them, drawn by one factor at all snapshots.",
        `The longest of all stands for ${formatted(longest.length, 3)}, the longest here for ${formatted(here, 3)}. Dots: the samples.`,
      ];
  if (areUnlike(points)) notes.push("Each axis has a scale of its own.");
  if (data.length < snapshot.samples)
    notes.push(`The first ${data.length} of ${snapshot.samples} samples.`);
  if (moved.some((pair) => pair.includes(null))) notes.push("Some arrows are not finite.");
  notes.push(snapshotNote(snapshot));
  return notes.filter(Boolean).join(" ");
}
