// Latent codes of the samples, as points of a plane.
"use strict";

const byNumberAndName = new Intl.Collator(undefined, { numeric: true }).compare;

/** @param {number} width */
function latentFigures(width) {
  return shownRuns().flatMap((run) => {
    const snapshots = (run.tangents[state.tangents] ?? []).filter((one) => one.codes);
    const snapshot = snapshotAt(snapshots, state.step);
    if (!snapshot?.codes) return [];
    const figure = element("figure", {}, ...headingOf(run));
    const signs = latentSigns(snapshots, snapshot);
    const points = latentPoints(snapshot, signs);
    const labels = [...new Set(points.map((p) => p.label))].sort(byNumberAndName);
    const isColoured = labels.length > 1 && labels.length <= SHARED.categories;
    if (isColoured) figure.append(key(labels.map((label, i) => [label, colourOf(i)]), true));
    const chart = latentChart(points, {
      width,
      domains: latentDomains(snapshots, snapshot),
      axes: latentAxes(snapshot.codes),
      ellipses: snapshot.codes.ellipses ?? [],
      turn: signs[0] * signs[1],
      colour: (label) => colourOf(isColoured ? labels.indexOf(label) : run.group),
    });
    const box = boxOf(chart, latentSummary(snapshot, points, labels));
    box.classList.add("latent");
    figure.append(box, element("figcaption", {}, latentNote(snapshot)));
    figure.append(savingTools(() => within(box, "svg"), `codes-${run.name}-${UNIT}-${state.step}`));
    return [figure];
  });
}

// Principal components have no sign: they take the one that is nearest to the snapshot
// before, so that points do not jump from side to side.
/**
 * @param {TangentSnapshot[]} snapshots
 * @param {TangentSnapshot} wanted
 */
function latentSigns(snapshots, wanted) {
  let signs = [1, 1];
  for (let i = 1; i <= snapshots.indexOf(wanted); i++) {
    const [before, now] = [snapshots[i - 1].codes, snapshots[i].codes];
    if (!before || !now || now.share === null) continue;
    signs = signs.map((sign, axis) => {
      const product = d3.sum(now.points, (p, j) => (p[axis] ?? 0) * (before.points[j]?.[axis] ?? 0));
      return product < 0 ? -sign : sign;
    });
  }
  return signs;
}

/**
 * @param {TangentSnapshot} wanted
 * @param {number[]} signs
 * @returns {LatentPoint[]}
 */
function latentPoints(wanted, signs) {
  return (wanted.codes?.points ?? []).map((point, i) => ({
    sample: i,
    x: point[0] == null ? null : point[0] * signs[0],
    // A single number has no second one: the points stand in a row.
    y: point.length === 1 ? 0 : point[1] == null ? null : point[1] * signs[1],
    label: wanted.labels?.[i] ?? "",
    area: wanted.codes?.areas?.[i] ?? null,
  }));
}

// One scale for all snapshots of a run, whichever sign its axes take.
/**
 * @param {TangentSnapshot[]} snapshots
 * @param {TangentSnapshot} wanted
 * @returns {[Interval, Interval]}
 */
function latentDomains(snapshots, wanted) {
  /** @type {(axis: number) => Interval} */
  const domain = (axis) => {
    const all = snapshots.flatMap((one) => one.codes?.points.map((p) => p[axis]) ?? []);
    const [low = -1, high = 1] = d3.extent(all, (v) => v ?? undefined);
    const isSigned = wanted.codes?.share !== null;
    const limit = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const rim = 0.06 * (isSigned ? 2 * limit : high - low || 1);
    return isSigned ? [-limit - rim, limit + rim] : [low - rim, high + rim];
  };
  return [domain(0), domain(1)];
}

/** @param {Codes} codes */
function latentAxes({ share, shape }) {
  if (share !== null) return ["principal component 1", "principal component 2"];
  return d3.max(shape) === 1 ? ["code", ""] : ["code 1", "code 2"];
}

/**
 * @param {LatentPoint[]} points
 * @param {{width: number, domains: [Interval, Interval], axes: string[], colour: (label: string) => string, ellipses: [number, number, number][], turn: number}} options
 */
function latentChart(points, { width, domains, axes, colour, ellipses, turn }) {
  const size = Math.min(width, 560);
  const height = Math.round(0.75 * size);
  // A circle has to be one.
  if (ellipses.length) domains = alike(domains, [size - 48 - 24, height - 34 - 20]);
  const chosen = points.filter((p) => p.sample === state.sample);
  const numbered = points.filter((p) => p.sample < samplesShown() && p.x != null);
  const place = { x: "x", y: "y" };
  const chart = Plot.plot({
    width: size,
    height,
    marginLeft: 48,
    marginRight: 24,
    marginTop: 20,
    marginBottom: 34,
    style: { fontSize: "12px" },
    x: { domain: domains[0], label: axes[0], labelAnchor: "center", labelArrow: "none", ticks: 5, tickFormat: axisNumber },
    r: { type: "identity" },
    y: { domain: domains[1], label: axes[1], labelArrow: "none", grid: true, ticks: axes[1] ? 5 : [], tickFormat: axisNumber },
    marks: [
      Plot.line(outlines(points, ellipses, turn, 0.022 * (domains[0][1] - domains[0][0])), {
        ...place,
        z: "sample",
        curve: "linear-closed",
        clip: true,
        stroke: (p) => colour(p.label),
        strokeOpacity: 0.8,
        strokeWidth: 1,
      }),
      Plot.dot(points, { ...place, fill: (p) => colour(p.label), fillOpacity: 0.75, r: latentRadius }),
      // Beside the ring of the one that is chosen, too.
      ...[true, false].map((isChosen) =>
        Plot.text(
          numbered.filter((p) => (p.sample === state.sample) === isChosen),
          { ...place, text: (p) => String(p.sample + 1), dx: isChosen ? 12 : 8, textAnchor: "start", fontSize: 11 },
        ),
      ),
      Plot.dot(chosen, { ...place, stroke: "currentColor", strokeWidth: 2, r: 8 }),
      Plot.tip(
        points.map((p) => ({
          ...p,
          text: `sample ${p.sample + 1}${p.label ? `: ${p.label}` : ""}\n${formatted(p.x)}${axes[1] ? `, ${formatted(p.y)}` : ""}${p.area === null ? "" : `\narea, decoded: ${formatted(p.area)} × the median`}`,
        })),
        Plot.pointer({ ...place, ...TIP }),
      ),
    ],
  });
  chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect();
    const scale = chart.viewBox.baseVal.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const nearest = d3.least(numbered, (p) =>
      Math.hypot(chart.scale("x").apply(p.x ?? 0) - x, chart.scale("y").apply(p.y ?? 0) - y),
    );
    if (nearest) chooseSample(nearest.sample);
  });
  return chart;
}

// A point's own area grows with that of a small square of codes, decoded, within bounds.
/** @param {LatentPoint} point */
function latentRadius({ area }) {
  return 4.5 * Math.min(2, Math.max(0.5, Math.sqrt(area ?? 1)));
}

// The domains, one of them widened so that both axes have one scale.
/**
 * @param {[Interval, Interval]} domains
 * @param {[number, number]} pixels
 * @returns {[Interval, Interval]}
 */
function alike(domains, pixels) {
  const units = domains.map(([low, high], axis) => (high - low) / pixels[axis]);
  const unit = Math.max(...units);
  const [x, y] = domains.map(([low, high], axis) => {
    const more = (unit * pixels[axis] - (high - low)) / 2;
    return /** @type {Interval} */ ([low - more, high + more]);
  });
  return [x, y];
}

// Ellipses around points: the decoder's output moves by one length from centre to edge.
/**
 * @param {LatentPoint[]} points
 * @param {[number, number, number][]} ellipses
 * @param {number} turn -1 where one of the two axes is flipped
 * @param {number} size
 */
function outlines(points, ellipses, turn, size) {
  return ellipses.flatMap(([a, b, c], i) => {
    const { x, y, ...point } = points[i];
    if (x === null || y === null) return [];
    return d3.range(32).map((step) => {
      const [cos, sin] = [Math.cos((step * Math.PI) / 16), Math.sin((step * Math.PI) / 16)];
      return { ...point, x: x + size * (a * cos + turn * b * sin), y: y + size * (turn * b * cos + c * sin) };
    });
  });
}

/**
 * @param {TangentSnapshot} snapshot
 * @param {LatentPoint[]} points
 * @param {string[]} labels
 */
function latentSummary(snapshot, points, labels) {
  const lost = points.filter((p) => p.x == null || p.y == null).length;
  const own = points[state.sample];
  return [
    `Latent codes of ${plural(points.length, "sample")} at ${at(snapshot.step)}`,
    labels.length > 1 ? `, with ${labels.length} labels` : "",
    own ? `; sample ${state.sample + 1} at ${formatted(own.x)}, ${formatted(own.y)}` : "",
    lost ? `; ${lost} not finite` : "",
    ".",
  ].join("");
}

/** @param {TangentSnapshot} snapshot */
function latentNote(snapshot) {
  const { share, shape, points, ellipses, areas, kept } = /** @type {Codes} */ (snapshot.codes);
  const notes = [];
  if (ellipses)
    notes.push(
      "Ellipses: from centre to edge the decoder's output moves by one length, the same for all (very long axes are cut). Where they are circles of one size, distances in this plane are those of the output, up to a factor.",
    );
  if (areas)
    notes.push("Large points: there a small step in codes is a large step of the output (a quarter to four times the median area, what is beyond is cut).");
  if (kept)
    notes.push(
      `Neighbors in this plane, 5 of each: trustworthiness ${formatted(kept[0], 2)} (near here, near in the data), continuity ${formatted(kept[1], 2)} (near in the data, near here).`,
    );
  if (share !== null)
    notes.push(
      `First two principal components of codes of shape (${shape.join(", ")}), ${formatted(100 * share, 2)} % of their variance; of each snapshot its own.`,
    );
  if (points.length < snapshot.samples)
    notes.push(`The first ${points.length} of ${snapshot.samples} samples.`);
  if (points.some((p) => p.includes(null))) notes.push("Some codes are not finite.");
  notes.push(snapshotNote(snapshot));
  return notes.filter(Boolean).join(" ");
}
