/** What a checker throws: which law was broken (numbered as in ARCHITECTURE.md, or a duty by its name), and how. */
import { plain } from '../../src/testing/conformance/plain.ts';
import { isDeepStrictEqual } from 'node:util';

type Law = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 9 | 'answers' | 'errors' | 'clock' | 'liveness' | 'determinism';

export class LawBroken extends Error {
  readonly law: Law;

  constructor(law: Law, message: string) {
    super(`${typeof law === 'number' ? `law ${law}` : law}: ${message}`);
    this.name = 'LawBroken';
    this.law = law;
  }
}

/** @throws LawBroken unless it holds */
export function holds(law: Law, condition: unknown, message: () => string): asserts condition {
  if (!condition) throw new LawBroken(law, message());
}

/** @throws LawBroken unless both are the same, field by field */
export function same(law: Law, actual: unknown, expected: unknown, what: () => string): void {
  const [left, right] = [plain(actual), plain(expected)];
  if (isDeepStrictEqual(left, right)) return;
  throw new LawBroken(law, `${what()}: ${JSON.stringify(left)}, but it should be ${JSON.stringify(right)}`);
}
