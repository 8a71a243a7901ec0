/** The suite for stores finds the test framework that runs it, and compares values from two realms. */
import { memory } from 'tidemark/memory';
import { storeConformance } from 'tidemark/testing';

storeConformance('memory', (options) => memory(options));
