/** Installs what is compared with on first use, and again when the lockfile is newer: nobody else needs it. */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

export function install(): void {
  const lockfile = join(import.meta.dirname, 'package-lock.json');
  // Written by npm at the end of each install.
  const installed = join(import.meta.dirname, 'node_modules/.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs) return;
  console.error('installing the peers …');
  execFileSync('npm', ['ci', '--prefix', import.meta.dirname], { stdio: ['ignore', 'inherit', 'inherit'] });
}
