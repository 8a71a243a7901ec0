import { LogCorrupt } from '../errors.ts';

/** The error of every store for a log that holds what no log can hold. `where` says at which position or document. */
export function corrupt(what: string, where: Readonly<Record<string, unknown>> = {}): LogCorrupt {
  const at = Object.entries(where)
    .map(([name, value]) => ` ${name} ${String(value)}`)
    .join(',');
  return new LogCorrupt(
    `The log is damaged${at && ` at${at}`}: ${what}. Stop writing, keep it as it is, and restore a copy beside it.`,
    where,
  );
}
