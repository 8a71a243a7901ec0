/** A signal of the caller's, which may be of a polyfill: what it throws is contained, or named before anything is begun. */
import { InvalidInput } from './errors.ts';

/** Everybody who listens to a signal, behind one listener: thousands may, and a signal looks through all to add or remove one. */
interface Ear {
  readonly listening: Set<(reason: unknown) => void>;
  readonly end: () => void;
}

const ears = new WeakMap<AbortSignal, Ear>();

/**
 * Tells `aborted` the reason when the signal aborts.
 *
 * @returns what ends that, and never throws
 * @throws InvalidInput if it can't be listened to
 */
export function listen(signal: AbortSignal, aborted: (reason: unknown) => void): () => void {
  const ear = ears.get(signal) ?? begin(signal);
  // One of its own for each call: the same function may be given twice.
  const told = (reason: unknown): void => aborted(reason);
  ear.listening.add(told);
  return () => {
    ear.listening.delete(told);
    if (ear.listening.size === 0) ear.end();
  };
}

function begin(signal: AbortSignal): Ear {
  const listening: Ear['listening'] = new Set();
  const heard = (): void => {
    const reason = reasonOf(signal);
    for (const tell of listening) tell(reason);
  };
  try {
    signal.addEventListener('abort', heard);
  } catch (cause) {
    throw new InvalidInput(
      'The signal can’t be listened to: its addEventListener threw an error, which is the cause of this one. Pass a real AbortSignal.',
      { path: 'signal' },
      cause,
    );
  }
  const end = (): void => {
    if (ears.get(signal) === ear) ears.delete(signal);
    try {
      signal.removeEventListener('abort', heard);
    } catch {
      // What it tells later is told to nobody: whoever listened is through.
    }
  };
  const ear: Ear = { listening, end };
  ears.set(signal, ear);
  return ear;
}

/** Somebody waits for it: if it can't be had, that is the reason. */
function reasonOf(signal: AbortSignal): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
  }
}
