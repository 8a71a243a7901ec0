/** The package in CommonJS: each of its entries can be required. */
const assert = require('node:assert/strict');
const { existsSync, readFileSync } = require('node:fs');

for (const entry of ['', '/memory', '/sqlite', '/postgres', '/store', '/testing']) {
  assert(Object.keys(require(`tidemark${entry}`)).length > 0, entry);
}
// Loading it opens no stream of the process: a pipe that is opened so no longer takes all that is written to it at once.
const fdinfo = '/proc/self/fdinfo/1';
if (existsSync(fdinfo)) {
  const [, flags] = /flags:\s*(\d+)/.exec(readFileSync(fdinfo, 'utf8'));
  assert.equal(Number.parseInt(flags, 8) & 0o4000, 0, 'stdout was made non-blocking');
}
const { version } = require('tidemark/package.json');
assert.equal(require('./node_modules/tidemark/dist/version.js').VERSION, version);
const { memory } = require('tidemark/memory');
const { conformanceCases } = require('tidemark/testing');
conformanceCases[0].run((options) => memory(options)).then(() => console.log('required'));
