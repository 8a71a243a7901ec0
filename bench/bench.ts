/** What a measure is given, and what it gives. */
export interface Bench {
  /** A file with 5,000 services and 20,000 buyers, to be copied. */
  readonly template: string;
  /** A fresh copy of a log, removed at the end. */
  readonly copyOf: (file: string) => string;
  /** A fresh path for a log. */
  readonly fresh: () => string;
  /** How long one run takes, in milliseconds, and how many count. */
  readonly ms: number;
  readonly rounds: number;
  /** Everything smaller, for a look: the figures say nothing then. */
  readonly quick: boolean;
  /** Where a picture is drawn, of a measure that has one. */
  readonly svg?: string | undefined;
}

export interface Figure {
  readonly name: string;
  readonly ours?: number | undefined;
  readonly bare?: number | undefined;
  /** Ours of the bare loop's: the median of the ratios run by run. */
  readonly ratio?: number | undefined;
  readonly atLeast?: number | undefined;
  readonly atMost?: number | undefined;
  /** What the bare loop must reach to be worth comparing with. */
  readonly floor?: number | undefined;
}

/** Whether a figure keeps its limit; undefined if it has none. The limit is about the ratio, or the figure if there is none. */
export function holds({ ours, ratio, atLeast, atMost }: Figure): boolean | undefined {
  const value = ratio ?? ours;
  if (value === undefined || (atLeast === undefined && atMost === undefined)) return undefined;
  // What it was measured by has done nothing.
  if (!Number.isFinite(value)) return false;
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);
}
