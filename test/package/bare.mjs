/** Runs the cases in a bare `vm` context, which has none of Node's globals: `node --experimental-vm-modules bare.mjs`. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { createContext, SourceTextModule, SyntheticModule } from 'node:vm';

const context = createContext({});
const modules = new Map();

async function builtin(name) {
  const namespace = await import(name);
  return new SyntheticModule(
    Object.keys(namespace),
    function evaluate() {
      for (const key of Object.keys(namespace)) this.setExport(key, namespace[key]);
    },
    { context },
  );
}

function fromFile(url) {
  return new SourceTextModule(readFileSync(fileURLToPath(url), 'utf8'), {
    context,
    identifier: url,
    importModuleDynamically: link,
  });
}

function link(specifier, { identifier }) {
  const url = /^\.\.?\//.test(specifier)
    ? new URL(specifier, identifier).href
    : specifier.startsWith('node:')
      ? specifier
      : new URL(createRequire(identifier).resolve(specifier), 'file:').href;
  if (!modules.has(url)) modules.set(url, url.startsWith('node:') ? builtin(url) : fromFile(url));
  return modules.get(url);
}

const main = link('./cases.mjs', { identifier: import.meta.url });
await main.link(link);
await main.evaluate();
for (const [name, run] of Object.entries(main.namespace.cases)) {
  await run();
  console.log(`✓ ${name}`);
}
