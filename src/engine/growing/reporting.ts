/** Telling the user's function how far something is. */
import type { Progress } from '../registry/readiness.ts';

/** What it throws ends what it is told of; so does what a promise that it returns rejects with, at the next look. */
export type OnProgress = (progress: Progress) => unknown;

export interface Reporting {
  /** @throws what the function throws, or has rejected with */
  tell(progress: Progress): void;
  /** @throws what the function has rejected with */
  assertGoing(): void;
}

/** A promise isn't waited for: a slow function delays nothing, and one that never answers doesn't hold it up. */
export function reportingTo(onProgress: OnProgress): Reporting {
  let failed: { readonly error: unknown } | undefined;
  const assertGoing = (): void => {
    if (failed) throw failed.error;
  };
  return {
    assertGoing,
    tell(progress) {
      assertGoing();
      Promise.resolve(onProgress(progress)).catch((error: unknown) => (failed ??= { error }));
    },
  };
}
