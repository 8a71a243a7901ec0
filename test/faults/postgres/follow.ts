/** What a reader was given that followed a log, against what the log holds. */

/** Of each event: its position, its command and its type. */
export type Followed = readonly [position: number, command: string, type: string];

export function followed(event: {
  readonly position: number;
  readonly command: { readonly id: string };
  readonly event: { readonly type: string };
}): Followed {
  return [event.position, event.command.id, event.event.type];
}

/**
 * What is wrong with what `reader` was given, in the order it was given it: `log` is all that there is, in its order. One
 * sentence for the first fault; none if it was given each event once, from the first on.
 */
export function misread(reader: string, given: readonly Followed[], log: readonly Followed[]): string[] {
  const at = given.findIndex((event, index) => String(event) !== String(log[index]));
  if (at < 0) return [];
  const [got, due] = [given[at]!, log[at]];
  if (!due) return [`${reader} was given ${String(got)}, which the log doesn't hold`];
  if (got[0] > due[0]) return [`${reader} was not given ${String(due)} before ${String(got)}: it skipped it`];
  return [`${reader} was given ${String(got)} where ${String(due)} was due`];
}
