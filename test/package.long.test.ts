/**
 * What is published: installed from the tarball in an empty project, compiled against its declarations, and run; by Node,
 * and where tests run in a realm of their own (lesson 40).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from './support/stores.ts';

const root = join(import.meta.dirname, '..');
const project = temporaryFolder();

// What npm sets for the scripts it runs, and the test framework, are not there in a user's project.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|vitest|node_options)/i.test(name)),
);
const run = (command: string, args: readonly string[], cwd = project): string =>
  execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });

const PROGRAM = `
import { all, domain, event, failure, open, type, InvalidInput, type EventOf, type Outcome, type Page, type StateOf } from 'tidemark';
import { memory } from 'tidemark/memory';
import { grants, postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { chainHash, GENESIS_HASH, type Batch, type Session, type Store } from 'tidemark/store';
import { at, conformanceCases, given, storeConformance } from 'tidemark/testing';

const market = domain({
  events: {
    SERVICE_CREATED: type<{ service_id: string; quantity: number }>(),
    SERVICE_BOUGHT: event(type<{ service_id: string; buyer_id: string }>(), { version: 2, upcast: { 1: (old) => old } }),
  },
});
export const services = market.collection('services', {
  key: 'service_id',
  initial: { quantity: 0 },
  reduce: {
    SERVICE_CREATED: (_, { quantity }) => ({ quantity }),
    SERVICE_BOUGHT: (service) => ({ quantity: service.quantity - 1 }),
  },
});
export const create = market.command('CREATE', {
  input: type<{ service_id: string; quantity: number }>(),
  decide: (_, input) => ({ type: 'SERVICE_CREATED', ...input }),
});
export const buy = market.command('BUY', {
  input: type<{ service_id: string; buyer_id: string }>(),
  *reads({ service_id }) {
    const [service] = yield* all([services.ref(service_id)]);
    return { service };
  },
  decide: ({ service }, input) =>
    service!.state.quantity < 1 ? failure('SOLD_OUT') : { type: 'SERVICE_BOUGHT', ...input },
});
type Bought = EventOf<typeof market, 'SERVICE_BOUGHT'>;

for (const store of [memory(), sqlite('package.db')]) {
  await using app = await open({ store, collections: [services], commands: [create, buy] });
  await app.execute(create, { service_id: 's1', quantity: 1 });
  const outcomes: Outcome<'SOLD_OUT', Bought>[] = await Promise.all(
    ['b1', 'b2'].map((buyer_id) => app.execute(buy, { service_id: 's1', buyer_id })),
  );
  if (outcomes.map(({ status }) => status).join() !== 'succeeded,failed') throw new Error('not one winner');
  await app.execute(buy, { service_id: '', buyer_id: 'b' }).then(
    () => { throw new Error('accepted'); },
    (error: unknown) => { if (!(error instanceof InvalidInput)) throw error; },
  );
  const page: Page<StateOf<typeof services>> = await app.find(services, { where: { quantity: { lt: 1 } } });
  if (page.documents.length !== 1) throw new Error('not found');
  if (!(await app.verify()).ok) throw new Error('not sound');
}
given([services], [at(5, { type: 'SERVICE_CREATED', service_id: 's1', quantity: 0 })])
  .when(buy, { service_id: 's1', buyer_id: 'b' })
  .expect(failure('SOLD_OUT'))
  .expectDocument(services, 's1', { quantity: 0 });
const adapter = (inner: Store): Store => ({
  name: 'adapter',
  open: async (): Promise<Session> => {
    const session = await inner.open();
    const append = session.append.bind(session);
    session.append = (batch: Batch) => append(batch);
    return session;
  },
});
await using adapted = await open({ store: adapter(memory()), collections: [services], commands: [create] });
await adapted.execute(create, { service_id: 's1', quantity: 1 });
// The driver isn't installed here: that is told in words, and only when it is needed.
await postgres('postgres://localhost/shop').open().then(
  () => { throw new Error('opened'); },
  (error: unknown) => { if (!String(error).includes('npm install pg')) throw error; },
);
if (!grants('tidemark', 'shop').includes('GRANT')) throw new Error('no grants');
if (chainHash(GENESIS_HASH, 1, 0, GENESIS_HASH).length !== 64) throw new Error('no hash');
console.log('ran', typeof storeConformance, conformanceCases.length > 50);
`;

let packed: { filename: string; files: { path: string }[] };

beforeAll(() => {
  [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', project], root)) as [typeof packed];
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', packed.filename]);
  cpSync(join(root, 'test/package'), project, { recursive: true });
}, 180_000);

test('the tarball installs, compiles with skipLibCheck: false, and runs', () => {
  // What users need and nothing else.
  const others = packed.files.map(({ path }) => path).filter((path) => !/^dist\/.+\.(js|d\.ts)$/.test(path));
  expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
  expect(
    packed.files.map(({ path }) => path).filter((path) => /\.test\.|controls|bench|demo|examples/.test(path)),
  ).toEqual([]);

  const installed = Object.keys(
    (JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as { packages: object }).packages,
  );
  expect(installed.sort()).toEqual(['', 'node_modules/@standard-schema/spec', 'node_modules/tidemark']);

  // The compiler and Node's types are the user's own; here those of this project.
  mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
  for (const types of ['@types/node', 'undici-types'])
    symlinkSync(join(root, 'node_modules', types), join(project, 'node_modules', types));
  writeFileSync(join(project, 'main.ts'), PROGRAM);
  const options = {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    allowImportingTsExtensions: true,
  };
  // As a server's project has it, and as one does that has no types of Node at all.
  const settings = { server: { types: ['node'], lib: ['esnext'] }, plain: { types: [], lib: ['esnext', 'dom'] } };
  for (const [name, extra] of Object.entries(settings)) {
    writeFileSync(
      join(project, `${name}.json`),
      JSON.stringify({ compilerOptions: { ...options, ...extra }, files: ['main.ts'] }),
    );
    run(join(root, 'node_modules/.bin/tsc'), ['-p', `${name}.json`]);
  }
  expect(run(process.execPath, ['main.ts'])).toContain('ran function true');
}, 180_000);

test('all of it can be required', () => {
  expect(run(process.execPath, ['required.cjs'])).toContain('required');
});

test('copies of one version go together, and two versions are named', () => {
  const installed = join(project, 'node_modules/tidemark');
  for (const copy of ['other', 'newer']) cpSync(installed, join(project, copy, 'tidemark'), { recursive: true });
  const version = join(project, 'newer/tidemark/dist/version.js');
  writeFileSync(version, readFileSync(version, 'utf8').replace(/'[\d.]+'/, "'9.9.9'"));
  expect(run(process.execPath, ['copies.mjs'])).toContain('copies go together');
});

test('lesson 40: it runs in a bare context, which has none of Node’s globals', () => {
  expect(run(process.execPath, ['--experimental-vm-modules', 'bare.mjs'])).toContain('✓ sqlite');
});

test('lesson 40: it runs under Jest', () => {
  const config = { testMatch: ['**/*.test.mjs'], moduleFileExtensions: ['mjs', 'js'], transform: {}, watchman: false };
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const flags = ['--experimental-vm-modules', jest, '--rootDir', project, '--ci'];
  // It throws with all that Jest says if a test fails.
  run(process.execPath, [...flags, '--config', JSON.stringify(config)]);
}, 180_000);

test.each(['vmThreads', 'forks'])(
  'lesson 40: it runs under vitest, pool %s',
  (pool) => {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    run(process.execPath, [vitest, 'run', '--root', project, '--pool', pool, 'suite']);
    run(process.execPath, [vitest, 'run', '--root', project, '--pool', pool, '--globals', 'cases']);
  },
  180_000,
);
