/** The package in CommonJS: each of its entries can be required. */
const assert = require('node:assert/strict');

for (const entry of ['', '/memory', '/sqlite', '/postgres', '/store', '/testing']) {
  assert(Object.keys(require(`tidemark${entry}`)).length > 0, entry);
}
const { version } = require('tidemark/package.json');
assert.equal(require('./node_modules/tidemark/dist/version.js').VERSION, version);
const { memory } = require('tidemark/memory');
const { conformanceCases } = require('tidemark/testing');
conformanceCases[0].run((options) => memory(options)).then(() => console.log('required'));
