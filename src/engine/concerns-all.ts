import { hasCode } from '../errors.ts';

/** What concerns the whole batch: the store is away, or isn't what it was. Anything else is one caller's to hear. */
export function concernsAll(error: unknown): boolean {
  return hasCode(
    error,
    'StoreUnavailable',
    'ConnectionsBusy',
    'NotWritable',
    'FormatTooNew',
    'HistoryDiverged',
    'WrongLog',
    'Closed',
  );
}
