/** Tidemark's testing: a domain's rules without a store, and the suite that every store must pass. */
export { at, given, type Decided, type Given, type WhenOptions } from './given.ts';
export type { Parts, TimedEvent } from './world.ts';
export {
  conformanceCases,
  storeConformance,
  type ConformanceCase,
  type Framework,
  type Law,
  type MakeStore,
} from './conformance/index.ts';
