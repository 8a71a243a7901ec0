/** The contract of a store, whose parts lie in `contract/`: read session.ts first. */
export * from './contract/append.ts';
export * from './contract/bounds.ts';
export * from './contract/documents.ts';
export * from './contract/facts.ts';
export * from './contract/reading.ts';
export * from './contract/registry.ts';
export * from './contract/session.ts';
