/**
 * What the author of a store needs: the contract, its bounds, and what all stores do alike. For append: `assertBatch`,
 * `standing`, `refuseTimesAhead` and `chainHash` (docs/reference/hash-chain.md). For reading: the page bounds and `Room`. For
 * the registry: `changedBy`. For work under the lock: `Section`. For waiting: `Waiters`. For the order of calls and for closing:
 * `Turns` and `Writes`.
 */
export { assertBatch } from './batch.ts';
export { chainHash, GENESIS_HASH } from './chain.ts';
export {
  givenClock,
  machineClock,
  refuseTimesAhead,
  type Anchor,
  type AnchorPlace,
  type Clock,
  type MachineClockOptions,
} from './clock.ts';
export { declaredKeyOf, handledOf } from './declared-key.ts';
export { standing } from './ground.ts';
export { lowerBound, pageRows, upperBound } from './page-bounds.ts';
export { changedBy, hasSet } from './registry.ts';
export { Room } from './room.ts';
export { kindOf, Turns, WRITE } from './turns.ts';
export { Section, type Offered, type SectionRules } from './section.ts';
export { Waiters, type Watch } from './waiters.ts';
export { Writes, type Write } from './writes.ts';
export * from './store.ts';
