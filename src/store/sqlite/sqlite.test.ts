/** The conformance suite, on files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { storeConformance } from '../../testing/conformance/index.ts';
import { sqlite } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'tidemark-sqlite-'));
let files = 0;

afterAll(() => rmSync(directory, { recursive: true }));

storeConformance('sqlite', (options) => sqlite(join(directory, `${(files += 1)}.db`), options));
