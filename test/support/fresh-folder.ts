/** A folder for each test of a file, removed after it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** `use` is told it before each test. */
export function freshFolder(use: (folder: string) => void): void {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
    use(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
}
