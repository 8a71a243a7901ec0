/** The suite for engines finds the framework that runs it, and compares what comes of two realms. */
import { memory } from 'tidemark/memory';
import { storeConformance } from 'tidemark/testing';

storeConformance('memory', (options) => memory(options));
