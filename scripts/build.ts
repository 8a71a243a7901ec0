/** `npm run build`: makes `dist/`, JavaScript and declarations, by plain tsc. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { parsed, script } from './options.ts';

const HELP = `Makes dist/, which is what the package holds: JavaScript and declarations, by plain tsc.

  npm run build
`;

function main(): number {
  rmSync('dist', { recursive: true, force: true });
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  return 0;
}

await script(HELP, (args) => parsed(args, {}), main);
