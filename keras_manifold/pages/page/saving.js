// What is shown as files: charts as SVG and PNG, numbers as CSV, Markdown and LaTeX.
"use strict";

/**
 * @param {string} name
 * @param {Blob} content
 */
function save(name, content) {
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @type {(name: string) => string} */
const fileName = (name) => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");

/**
 * @param {() => Element} chart
 * @param {string} name
 */
function savingTools(chart, name) {
  const svg = () => standalone(/** @type {SVGSVGElement} */ (chart()));
  const words = name.replace(/-/g, " ");
  return element(
    "p",
    { class: "tools" },
    button("SVG", () => save(`${fileName(name)}.svg`, new Blob([svg()], { type: "image/svg+xml" })), {
      "aria-label": `Save ${words} as SVG`,
    }),
    button("PNG", async () => save(`${fileName(name)}.png`, await rastered(svg())), {
      "aria-label": `Save ${words} as PNG`,
    }),
  );
}

const INLINED = [
  ...["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray"],
  ...["stroke-linejoin", "stroke-linecap", "opacity", "text-anchor", "visibility"],
  ...["font-family", "font-size", "font-weight", "font-variant"],
];

// A chart that needs neither this page nor its styles.
/** @param {SVGSVGElement} chart */
function standalone(chart) {
  const copy = /** @type {SVGSVGElement} */ (chart.cloneNode(true));
  const originals = [...chart.querySelectorAll("*")];
  [...copy.querySelectorAll("*")].forEach((node, i) => {
    const style = getComputedStyle(originals[i]);
    for (const name of INLINED) node.setAttribute(name, style.getPropertyValue(name));
    node.removeAttribute("class");
    node.removeAttribute("style");
  });
  copy.querySelectorAll("[aria-label=tip], style").forEach((node) => node.remove());
  const style = getComputedStyle(chart);
  const { width, height } = chart.viewBox.baseVal;
  for (const name of ["class", "style", "aria-hidden"]) copy.removeAttribute(name);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.setAttribute("color", style.color);
  copy.setAttribute("fill", style.color);
  copy.setAttribute("font-family", "sans-serif");
  copy.setAttribute("font-size", "12");
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const name of ["width", "height"]) back.setAttribute(name, "100%");
  back.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.prepend(back);
  return new XMLSerializer().serializeToString(copy);
}

/** @param {string} svg */
async function rastered(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  const scale = 3; // for print
  canvas.width = scale * image.naturalWidth;
  canvas.height = scale * image.naturalHeight;
  contextOf(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
  return blobOf(canvas);
}

/** @param {HTMLCanvasElement} canvas */
const blobOf = (canvas) =>
  new Promise((/** @type {(blob: Blob) => void} */ resolve) =>
    canvas.toBlob((blob) => resolve(blob ?? new Blob())),
  );

// The pictures of the dialog side by side.
/** @param {string} name */
async function savePictures(name) {
  /** @type {NodeListOf<HTMLCanvasElement>} */
  const all = byId("dialog").querySelectorAll(".large canvas");
  const scale = Math.max(1, Math.ceil(256 / all[0].width));
  const [width, height] = [scale * all[0].width, scale * all[0].height];
  const gap = Math.round(width / 16);
  const canvas = document.createElement("canvas");
  canvas.width = all.length * (width + gap) - gap;
  canvas.height = height;
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = false;
  all.forEach((one, i) => context.drawImage(one, i * (width + gap), 0, width, height));
  save(`${fileName(name)}.png`, await blobOf(canvas));
}

// --- Numbers ----------------------------------------------------------------------------

// All numbers of all steps, in full precision.
function numbersAsCsv() {
  const names = quantities();
  const rows = shownRuns().flatMap((run) => {
    const all = new Set(names.flatMap((name) => [...(run.scalars[name]?.keys() ?? [])]));
    return d3.sort(all).map((step) => [
      ...(isComparison ? [run.name] : []),
      step,
      ...names.map((name) => {
        const column = run.scalars[name];
        return column?.has(step) ? (column.get(step) ?? "nan") : "";
      }),
    ]);
  });
  const head = [...(isComparison ? ["run"] : []), UNIT, ...names];
  return d3.csvFormatRows([head, ...rows].map((row) => row.map(String)));
}

// A table of the page, as text by rows, without the letters of the runs.
/** @param {Element} table */
function cellsOf(table) {
  const copy = /** @type {Element} */ (table.cloneNode(true));
  copy.querySelectorAll(".letter-tag").forEach((letter) => letter.remove());
  return [...copy.querySelectorAll("tr")].map((row) =>
    [...row.querySelectorAll("th, td")].map((cell) => cell.textContent?.trim() ?? ""),
  );
}

/** @param {string[][]} cells */
function asMarkdown([head, ...rows]) {
  /** @type {(row: string[]) => string} */
  const line = (row) => `| ${row.map((cell) => cell.replace(/\|/g, "\\|")).join(" | ")} |`;
  const rule = `| --- |${" ---: |".repeat(head.length - 1)}`;
  return `${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
}

// For booktabs.
/** @param {string[][]} cells */
function asLatex([head, ...rows]) {
  /** @type {(text: string) => string} */
  const escaped = (text) =>
    text
      .replace(/[\\{}$&#%_~^]/g, (c) => {
        const words = /** @type {Record<string, string>} */ ({
          "\\": "\\textbackslash{}",
          "~": "\\textasciitilde{}",
          "^": "\\textasciicircum{}",
        });
        return words[c] ?? `\\${c}`;
      })
      .replace(/[−±°–]/g, (c) => ({ "−": "$-$", "±": "$\\pm$", "°": "$^\\circ$" })[c] ?? "--")
      .replace(/σ/g, "$\\sigma$");
  /** @type {(row: string[]) => string} */
  const line = (row) => `${row.map(escaped).join(" & ")} \\\\`;
  return [
    `\\begin{tabular}{l${"r".repeat(head.length - 1)}}`,
    "\\toprule",
    line(head),
    "\\midrule",
    ...rows.map(line),
    "\\bottomrule",
    "\\end{tabular}\n",
  ].join("\n");
}

/**
 * @param {() => Element} table
 * @param {string} name
 * @param {(() => string) | null} csv
 */
function tableTools(table, name, csv = null) {
  /** @type {(ending: string, kind: string, text: () => string) => HTMLElement} */
  const tool = (ending, kind, text) =>
    button(kind, () => save(`${name}.${ending}`, new Blob([text()], { type: "text/plain" })), {
      "aria-label": `Save the ${name} as ${kind}`,
    });
  return element(
    "p",
    { class: "tools" },
    tool("csv", "CSV", csv ?? (() => d3.csvFormatRows(cellsOf(table())))),
    tool("md", "Markdown", () => asMarkdown(cellsOf(table()))),
    tool("tex", "LaTeX", () => asLatex(cellsOf(table()))),
  );
}
