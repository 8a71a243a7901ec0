/**
 * The suite that every storage engine must pass, for the authors of engines.
 */
export type { ConformanceCase, Law, MakeStore } from './case.ts';
export { conformanceCases } from './cases.ts';
export { storeConformance, type Framework } from './register.ts';
