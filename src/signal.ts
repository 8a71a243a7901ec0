/** Listening to a signal of the caller: it may be a polyfill, so its errors are contained, or named before anything begins. */
import { InvalidInput } from './errors.ts';
import { abortController } from './realm.ts';

/** All listeners of one signal, behind one: a signal looks through all its listeners to add or remove one. */
interface Ear {
  readonly listening: Set<(reason: unknown) => void>;
  readonly end: () => void;
}

const ears = new WeakMap<AbortSignal, Ear>();

/**
 * Calls `aborted` with the reason, once, when the signal aborts. If it has aborted already, its event is over: then `aborted` is
 * called in a moment, not at once, as whoever listens may not be ready yet.
 *
 * @returns ends listening, and never throws
 * @throws InvalidInput if the signal can't be listened to
 */
export function listen(signal: AbortSignal, aborted: (reason: unknown) => void): () => void {
  const ear = ears.get(signal) ?? begin(signal);
  // A new function for each call: the same one may be given twice.
  let isTold = false;
  const told = (reason: unknown): void => {
    if (!isTold) aborted(reason);
    isTold = true;
  };
  ear.listening.add(told);
  if (isAborted(signal)) {
    void Promise.resolve().then(() => {
      if (ear.listening.has(told)) told(reasonOf(signal));
    });
  }
  return () => {
    ear.listening.delete(told);
    if (ear.listening.size === 0) ear.end();
  };
}

/** Does work with a signal that aborts as soon as one of these does. Leaves no listener behind. */
export async function withAny<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = abortController();
  const deafen = signals.map((one) => listen(one, (reason) => controller.abort(reason)));
  const aborted = signals.find(isAborted);
  if (aborted) controller.abort(reasonOf(aborted));
  try {
    return await work(controller.signal);
  } finally {
    for (const end of deafen) end();
  }
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
      // Events that still come find no listener.
    }
  };
  const ear: Ear = { listening, end };
  ears.set(signal, ear);
  return ear;
}

function isAborted(signal: AbortSignal): boolean {
  try {
    return signal.aborted;
  } catch {
    return false;
  }
}

/** If the reason can't be read, that error is the reason. */
function reasonOf(signal: AbortSignal): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
  }
}
