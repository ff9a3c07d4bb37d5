// What each chart is, and how to read it: a "?" beside its title.
"use strict";

/** @type {Record<string, [what: string, how: string]>} */
const EXPLANATIONS = {
  tangents: [
    "The directions in input space that the model follows most strongly at one sample: the leading right singular vectors of its Jacobian there.",
    "Strokes that shift, thicken or bend mean that the model has found what the data can do; speckle means that it follows noise. Red and blue are opposite signs, and which is which does not matter. Open one to walk along it.",
  ],
  spectrum: [
    "All singular values of the Jacobian at the samples: how strongly the model follows each direction, largest first.",
    "A cliff after d values says that d directions matter, so that the manifold is about d-dimensional there; a line that hardly falls says that no direction is preferred.",
  ],
  latent: [
    "The latent codes (the encoder's output) of the samples that are watched, as points of a plane.",
    "Points that lie together are samples that the model takes for alike. Choose one by a click; the numbers are those of the samples above. Where the decoder's metric is known, ellipses and the size of points show how far it stretches codes.",
  ],
  reconstructions: [
    "What the model makes of samples: input, reconstruction and, with noise, what was corrupted and what became of it.",
    "What is missing in the second row has been lost in the code; the number is the mean squared error.",
  ],
  field: [
    "Where the model moves points around samples of two entries: r(x) − x on a grid.",
    "A denoising model points back to the manifold from both sides, in the direction of the score; short arrows along a line mean that it has found the line. Far from the samples the arrows mean nothing.",
  ],
  loss: [
    "What training minimises, per epoch: on training data, and on validation data if there are some.",
    "Both should fall; where validation rises while training falls, the model learns its data by heart.",
  ],
  dimension: [
    "In how many directions the model follows its input, as the spectrum is spread: (Σσ²)² / Σσ⁴, mean over the samples.",
    "1 means one direction alone, d means d equally strong ones; it falls when training finds fewer directions that matter.",
  ],
  norm: [
    "How strongly the output of the encoder, or of what the title names, answers to small changes of its input: the Frobenius norm of the Jacobian, and its largest singular value.",
    "A contractive penalty pulls it down; a steep rise late in training is often overfitting.",
  ],
  drift: [
    "The mean angle between the tangent spaces of this snapshot and of the one before it.",
    "Near 0 the tangent spaces have settled; 90° (1.57 radians) means that they have nothing in common.",
  ],
  number: [
    "A number that training reported under this name.",
    "Compare it with the loss at the same epoch.",
  ],
  setup: [
    "What the run was made with, as it was written when training began.",
    "In a comparison, what differs between the runs comes first.",
  ],
  angles: [
    "Principal angles between the last tangent spaces of two runs at the same samples, in degrees: the mean of all, means over the samples.",
    "0° means the same tangent space, 90° nothing in common. Runs that differ by their seed only say how much is chance.",
  ],
  numbers: [
    "What was reported at the snapshot that is shown, in full precision under the pointer.",
    "Where runs share a label, the mean and the standard deviation over them.",
  ],
};

/** @param {string} name of what the chart shows, as in `logs` */
function topicOf(name) {
  const plain = name.replace(/^val_/, "");
  for (const topic of ["dimension", "norm", "top", "drift"]) {
    if (plain.endsWith(`_${topic}`)) return topic === "top" ? "norm" : topic;
  }
  return /loss$|mse$|error$/.test(plain) ? "loss" : "number";
}

/**
 * @param {string} topic
 * @param {string} title
 */
function explanation(topic, title) {
  const [what, how] = EXPLANATIONS[topic];
  const mark = element("summary", { "aria-label": `What is this? ${title}` }, "?");
  return element(
    "details",
    { class: "help" },
    mark,
    element("p", {}, what),
    element("p", {}, element("strong", {}, "How to read it: "), how),
  );
}

// The headings of the sections stand in the page already.
function explainSections() {
  for (const heading of document.querySelectorAll("h2[data-topic]")) {
    const { topic } = /** @type {HTMLElement} */ (heading).dataset;
    heading.after(explanation(topic ?? "number", heading.textContent ?? ""));
  }
}
