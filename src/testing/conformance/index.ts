/**
 * The suite that every store must pass, for the authors of stores.
 */
export type { ConformanceCase, Law, MakeStore } from './case.ts';
export { conformanceCases } from './cases.ts';
export { storeConformance, type Framework } from './register.ts';
