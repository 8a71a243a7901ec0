/** `npm run bench:peers`: Tidemark beside other event stores. */
import { parsed, script } from '../../scripts/options.ts';
import { install } from './install.ts';
import type { Options } from './run.ts';

const HELP = `Tidemark beside other event stores: the same sale by each. Installs them on first use.

  npm run bench:peers -- [options]

  --only PART,PART  those whose name or database contains one of the parts: tidemark, bare, emmett, postgres …
  --quick           for a look: the figures say nothing then
  --json FILE       writes what was measured
  --svg FILE        writes a picture of it
  --help            this text

Exit code: 0 all limits are kept; 1 one isn't, or what was stored isn't what callers were told; 2 an option is wrong.
`;

function read(args: readonly string[]): Options {
  const { only, quick, json, svg } = parsed(args, {
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    svg: { type: 'string' },
  });
  return { only: only.split(',').filter((part) => part !== ''), quick, json, svg };
}

await script(HELP, read, async (options) => {
  install();
  // Only now are there the packages that it needs.
  const { run } = await import('./run.ts');
  return run(options);
});
