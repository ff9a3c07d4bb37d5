// Where the model moves points of the plane of its samples.
"use strict";

/** @param {number} width */
function fieldFigures(width) {
  return shownRuns().flatMap((run) => {
    const snapshots = run.reconstructions[state.reconstructions];
    const snapshot = snapshotAt(snapshots, state.step);
    if (!snapshot?.field) return [];
    const colour = colourOf(run.group);
    const box = boxOf(fieldChart(snapshot.field, width, colour), fieldSummary(snapshot));
    const figure = element("figure", {}, ...headingOf(run), box);
    figure.append(element("figcaption", {}, fieldNote(snapshot)));
    figure.append(savingTools(() => within(box, "svg"), `field-${run.name}-${UNIT}-${state.step}`));
    return [figure];
  });
}

/**
 * @param {Field} field
 * @param {number} width
 * @param {string} colour
 */
function fieldChart({ points, moved, data }, width, colour) {
  const size = Math.min(width, 560);
  const height = Math.round(0.85 * size);
  const arrows = points.flatMap(([x1, y1], i) => {
    const [dx, dy] = moved[i];
    return dx === null || dy === null ? [] : [{ x1, y1, dx, dy, length: Math.hypot(dx, dy) }];
  });
  /** @type {(axis: number) => Interval} */
  const domain = (axis) => {
    const [low = -1, high = 1] = d3.extent(points, (point) => point[axis]);
    const rim = 0.04 * (high - low || 1);
    return [low - rim, high + rim];
  };
  const domains = alike([domain(0), domain(1)], [size - 48 - 20, height - 34 - 20]);
  const longest = d3.max(arrows, (arrow) => arrow.length) || 1;
  const cell = points.length > 1 ? Math.hypot(points[1][0] - points[0][0], points[1][1] - points[0][1]) : 1;
  // As in the figure of `plot.denoising_field`: by one factor, so that they do not cross.
  const factor = (1.4 * cell) / longest;
  const shown = arrows.map((arrow) => ({
    ...arrow,
    x2: arrow.x1 + factor * arrow.dx,
    y2: arrow.y1 + factor * arrow.dy,
    text: `from ${formatted(arrow.x1)}, ${formatted(arrow.y1)}\nmoved by ${formatted(arrow.length)}`,
  }));
  return Plot.plot({
    width: size,
    height,
    marginLeft: 48,
    marginRight: 20,
    marginTop: 20,
    marginBottom: 34,
    style: { fontSize: "12px" },
    x: { domain: domains[0], label: "entry 1", labelAnchor: "center", labelArrow: "none", ticks: 5, tickFormat: axisNumber },
    y: { domain: domains[1], label: "entry 2", labelArrow: "none", ticks: 5, tickFormat: axisNumber },
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

/** @param {ReconstructionSnapshot} snapshot */
function fieldSummary(snapshot) {
  const { moved } = /** @type {Field} */ (snapshot.field);
  const lengths = moved.flatMap(([dx, dy]) => (dx === null || dy === null ? [] : [Math.hypot(dx, dy)]));
  return `Where the model moves ${plural(moved.length, "point")} at ${at(snapshot.step)}: by ${formatted(d3.median(lengths))} in the median, by ${formatted(d3.max(lengths))} at most.`;
}

/** @param {ReconstructionSnapshot} snapshot */
function fieldNote(snapshot) {
  const { moved, data } = /** @type {Field} */ (snapshot.field);
  const lengths = moved.map(([dx, dy]) => Math.hypot(dx ?? 0, dy ?? 0));
  const notes = [
    `Arrows from points of a grid towards what the model makes of them, all shorter by one factor; the longest stands for ${formatted(d3.max(lengths), 3)}. Dots: the samples.`,
  ];
  if (data.length < snapshot.samples)
    notes.push(`The first ${data.length} of ${snapshot.samples} samples.`);
  if (moved.some((pair) => pair.includes(null))) notes.push("Some arrows are not finite.");
  notes.push(snapshotNote(snapshot));
  return notes.filter(Boolean).join(" ");
}
