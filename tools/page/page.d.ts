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
  /** A mean over runs: `x` is where it stands along the axis, null where that is not known. */
  interface Point {
    step: number;
    x: number | null;
    value: number | null;
    deviation: number;
    count: number;
  }

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
    /** The name of the element that holds the PNG. */
    picture: string;
  }

  interface SnapshotBase {
    name: string;
    step: number;
    samples: number;
  }

  /** Codes as points of a plane; `share` of their variance where these are components. */
  interface Codes {
    shape: number[];
    share: number | null;
    points: Numbers[];
    /** Of each a symmetric matrix, `[a, b, c]`, that makes its ellipse of the unit circle. */
    ellipses: [number, number, number][] | null;
    /** Of a small square at each, decoded, in units of their median. */
    areas: (number | null)[] | null;
    /** Trustworthiness and continuity of the plane. */
    kept: [number, number] | null;
  }

  interface TangentSnapshot extends SnapshotBase {
    kind: "tangents";
    pictures: Sprite;
    vectors: number;
    values: number;
    singular_values: Numbers[];
    spectrum: Numbers[];
    mean: Numbers;
    low: Numbers;
    high: Numbers;
    scalars: Record<string, number | null>;
    inputs: Sprite | null;
    codes: Codes | null;
    labels: string[] | null;
  }

  /** Points of a grid, how the model moves them, and samples beneath. */
  interface Field {
    points: [number, number][];
    moved: Numbers[];
    data: [number, number][];
  }

  interface ReconstructionSnapshot extends SnapshotBase {
    kind: "reconstructions";
    rows: string[];
    errors: Record<string, Numbers>;
    field: Field | null;
    pictures: Record<string, Sprite>;
  }

  type Snapshot = TangentSnapshot | ReconstructionSnapshot;

  interface Scalars {
    kind: "scalars";
    values: Record<string, [number, number | null][]>;
  }

  /** What a callback was told. */
  interface Watch {
    of?: string;
    feature_names?: string[];
    channel_names?: string[];
  }

  type Setup = Record<string, unknown> & { watches?: Record<string, Watch> };

  type Fragment = Snapshot | Scalars | { kind: "setup"; values: Setup } | { kind: "unreadable" };

  interface Run {
    label: string;
    /** The label, with a number where several runs share it. */
    name: string;
    /** Index of the group of its label. */
    group: number;
    tangents: Record<string, TangentSnapshot[]>;
    reconstructions: Record<string, ReconstructionSnapshot[]>;
    scalars: Record<string, Map<number, number | null>>;
    setup: Setup | null;
    unreadable: string[];
    /** When the files of each step were written, in seconds since 1970. */
    seconds: Map<number, number>;
  }

  /** The runs of one label. */
  interface Group {
    label: string;
    index: number;
    runs: Run[];
  }

  /** Principal angles between runs in degrees, from keras_manifold/pages/_angles.py. */
  interface Angles {
    name: string;
    steps: (number | null)[];
    mean: Numbers[];
    largest: Numbers[];
  }

  interface TimeScale {
    unit: string;
    size: number;
  }

  interface SpectrumLine {
    label: string;
    letter?: string;
    colour: string;
    isDashed?: boolean;
    values: Numbers;
    /** The lowest and the highest. */
    band?: [Numbers, Numbers];
  }

  interface LatentPoint {
    sample: number;
    x: number | null;
    y: number | null;
    label: string;
    area: number | null;
  }

  /** What the dialog shows: a tangent vector by its index, or a row of reconstructions. */
  interface Opened {
    kind: Kind;
    run: Run;
    sample: number;
    row: number | string;
  }

  /** A large picture. */
  interface Large {
    title: string;
    letter: string;
    sprite: Sprite;
    planes: Float64Array[];
    range: Interval;
    /** Of the entries of a table, or of the channels of a series. */
    names?: string[] | null;
    canvas?: HTMLCanvasElement;
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
    scale: HTMLInputElement;
    trim: HTMLInputElement;
    time: HTMLInputElement;
    from: HTMLInputElement;
    to: HTMLInputElement;
    all: HTMLButtonElement;
    dialog: HTMLDialogElement;
  }
  type ElementOf<Id extends string> = Id extends keyof Elements ? Elements[Id] : HTMLElement;

  type Kind = "tangents" | "reconstructions";

  interface State {
    step: number;
    follow: boolean;
    sample: number;
    /** Which callback's snapshots; empty where there are none. */
    tangents: string;
    reconstructions: string;
    /** Labels of runs that are not shown. */
    hidden: string[];
    scale: "linear" | "log";
    along: "step" | "time";
    /** First and last step of the curves; null for all. */
    from: number | null;
    to: number | null;
    isTrimmed: boolean;
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
    group: Group;
    colour: string;
    points: Point[];
  }
}
