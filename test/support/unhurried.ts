/** Limits where a test counts batches: a machine that is busy with something else cuts none of them short. */
import type { Limits } from '../../src/limits.ts';

export const UNHURRIED: Partial<Limits> = Object.freeze({ batchDecideMs: 600_000 });
