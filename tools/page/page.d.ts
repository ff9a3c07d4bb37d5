// What the page holds, as keras_manifold/pages/_sprites.py and _fragments.py write it.
import type * as PlotModule from "@observablehq/plot";

declare global {
  const Plot: Omit<typeof PlotModule, "plot"> & {
    /** Without a title, a caption and legends, a plot is an SVG alone. */
    plot(options: PlotModule.PlotOptions): Chart;
  };

  /** Value at the lower end, and at the upper. */
  type Interval = [number, number];
  /** Null for what is not finite. */
  type Numbers = (number | null)[];
  type Point = { step: number; value: number | null };

  /** Colours and titles of the figures, from keras_manifold/pages/_template.py. */
  interface Shared {
    signed: { light: string[]; dark: string[] };
    unsigned: string[];
    notFinite: string;
    categories: number;
    mostBars: number;
    titles: Record<string, string>;
    tangentTitles: Record<string, string>;
  }

  /** Samples as one small grey picture. */
  interface Sprite {
    rows: number;
    columns: number;
    channels: number;
    height: number;
    width: number;
    across: number;
    levels: number;
    ranges: Interval[];
    signed: boolean;
    kind: "image" | "series" | "table";
    every: number;
    png: string;
  }

  interface Look {
    name: string;
    step: number;
    samples: number;
    pictures: Sprite;
  }

  interface TangentLook extends Look {
    kind: "tangents";
    vectors: number;
    values: number;
    singular_values: Numbers[];
    spectrum: Numbers[];
    mean: Numbers;
    low: Numbers;
    high: Numbers;
    scalars: Record<string, number | null>;
    inputs: Sprite | null;
  }

  interface ReconstructionLook extends Look {
    kind: "reconstructions";
    rows: string[];
    errors: Record<string, Numbers>;
  }

  interface Scalars {
    kind: "scalars";
    values: Record<string, [number, number | null][]>;
  }

  type Fragment = TangentLook | ReconstructionLook | Scalars | { kind: "unreadable" };

  interface Run {
    label: string;
    tangents: Record<string, TangentLook[]>;
    reconstructions: Record<string, ReconstructionLook[]>;
    scalars: Record<string, Map<number, number | null>>;
    unreadable: string[];
  }

  /** What `Plot.plot` makes of one panel. */
  type Chart = SVGSVGElement & { scale(name: "x" | "y"): Scale };

  type MarkOfPlot = PlotModule.Markish;

  interface Scale {
    domain: Interval;
    range: Interval;
    apply(value: number): number;
    invert(at: number): number;
  }

  /** Elements of page.html that are more than a place for others. */
  interface Elements {
    slider: HTMLInputElement;
    follow: HTMLInputElement;
    previous: HTMLButtonElement;
    next: HTMLButtonElement;
    play: HTMLButtonElement;
    "tangents-name": HTMLSelectElement;
    "reconstructions-name": HTMLSelectElement;
  }
  type ElementOf<Id extends string> = Id extends keyof Elements ? Elements[Id] : HTMLElement;

  type Kind = "tangents" | "reconstructions";

  interface State {
    step: number;
    follow: boolean;
    sample: number;
    /** Which callback's looks; empty where there are none. */
    tangents: string;
    reconstructions: string;
    focus: string;
  }

  interface Series {
    name: string;
    label: string;
    isDashed: boolean;
  }

  interface Panel {
    title: string;
    series: Series[];
    isAngle?: boolean;
  }

  interface Line extends Series {
    run: number;
    colour: string;
    points: Point[];
  }
}
