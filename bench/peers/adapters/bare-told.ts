/** The bare client that also knows documents, as Tidemark does: the same calls to the last parameter. */
import { bare } from './bare-append.ts';

export const peer = bare(true, 'the same, and each batch tells the numbers and heads of documents that exist already');
