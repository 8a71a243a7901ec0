/** A signal of the caller's, which may be of a polyfill: what it throws is contained, or named before anything is begun. */
import { InvalidInput } from './errors.ts';

/**
 * Tells `aborted` the reason when the signal aborts.
 *
 * @returns what ends that, and never throws
 * @throws InvalidInput if it can't be listened to
 */
export function listen(signal: AbortSignal, aborted: (reason: unknown) => void): () => void {
  const heard = (): void => aborted(reasonOf(signal));
  try {
    signal.addEventListener('abort', heard);
  } catch (cause) {
    throw new InvalidInput(
      'The signal can’t be listened to: its addEventListener threw an error, which is the cause of this one. Pass a real AbortSignal.',
      { path: 'signal' },
      cause,
    );
  }
  return () => {
    try {
      signal.removeEventListener('abort', heard);
    } catch {
      // What it tells later is told to nobody: whoever listened is through.
    }
  };
}

/** Somebody waits for it: if it can't be had, that is the reason. */
function reasonOf(signal: AbortSignal): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
  }
}
