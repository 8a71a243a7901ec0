/** Law 9: another program, which knows docs/reference/hash-chain.md and nothing else, comes to the same hashes. */
/* eslint-disable oxc/no-map-spread -- few objects */
/* eslint-disable unicorn/no-useless-spread -- grouped by line */
/* eslint-disable vitest/no-conditional-expect -- which is expected depends on what was drawn */
/* eslint-disable vitest/valid-expect -- a message */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { domain, event, failure, open, type, type App, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { expect, test } from 'vitest';
import { keepingLogger, temporaryFolder } from '../support/stores.ts';
import { check, fingerprintOf, readFile, type ReadCommit } from './chain.ts';
import { drawn } from './seed.ts';

const lab = domain({
  events: {
    PLAIN: type<{ ids?: string[]; text?: string }>(),
    'Größe 𝒳': event(type<{ text: string }>(), {
      version: 3,
      upcast: { 1: (old: object) => old, 2: (old: object) => old },
    }),
  },
});
const things = lab.collection('things', { key: { PLAIN: 'ids' }, initial: {}, reduce: { PLAIN: (state) => state } });

interface CommandFields {
  readonly does: 'one' | 'several' | 'fails' | 'throws';
  readonly text: string;
  readonly count: number;
  readonly actor?: string | undefined;
  readonly correlation?: string | undefined;
  readonly causation?: string | undefined;
  readonly id?: string | undefined;
}

const act = lab.command('ACT ✓', {
  input: type<{ does: string; text: string; count: number; deep?: readonly unknown[] }>(),
  decide: (_, { does, text, count }) => {
    if (does === 'fails') return failure(`NO ${text}`.slice(0, 20).toWellFormed(), { text, count });
    if (does === 'throws') throw new RangeError(text);
    const one = { type: 'PLAIN', ids: [`t${count}`], text } as const;
    if (does === 'one') return one;
    return [...Array.from({ length: count }, () => one), { type: 'Größe 𝒳', text } as const];
  },
});

const text = fc.string({ unit: 'grapheme' }).map((made) => made.replaceAll('\0', '').toWellFormed());
const id = fc.option(
  text.filter((made) => made !== ''),
  { nil: undefined },
);
const asked: fc.Arbitrary<CommandFields> = fc.record({
  does: fc.constantFrom('one', 'several', 'fails', 'throws'),
  text,
  count: fc.integer({ min: 0, max: 4 }),
  actor: id,
  correlation: id,
  causation: id,
  id,
});

/** Executes the commands on a store, with a clock that also goes back. */
async function run(
  store: Store,
  commands: readonly CommandFields[],
  times: readonly number[],
): Promise<{ hash: string; position: number }> {
  let n = 0;
  const clock = (): number => times[n++ % times.length]!;
  await using app: App<typeof act, typeof things> = await open({
    store,
    clock,
    collections: [things],
    commands: [act],
    logger: keepingLogger(),
  });
  for (const { does, text: given, count, ...options } of commands) {
    await app
      .execute(act, { does, text: given, count, deep: [{ b: 1, a: [given, -0] }] }, options)
      .catch((error: unknown) => {
        // An id that was drawn twice.
        expect(error).toMatchObject({ code: 'CommandIdReused' });
      });
  }
  return await app.status();
}

/** The commits of any store, by its own reading of them. */
async function readStore(store: Store): Promise<readonly ReadCommit[]> {
  const session = await store.open();
  const read: ReadCommit[] = [];
  for (const { command, outcome, final, ...commit } of await session.commits({ limit: 1_000 })) {
    const { position, eventCount: limit } = commit;
    const { events } = await session.read({ after: position - 1, limit });
    read.push({
      reason: undefined,
      details: undefined,
      ...commit,
      events,
      ...{
        commandId: command.id,
        commandName: command.name,
        fingerprint: command.fingerprint,
      },
      ...{
        actor: command.actor,
        correlation: command.correlation,
        causation: command.causation,
      },
      outcome: outcome === 'succeeded' ? 0 : final ? 1 : 2,
    });
  }
  await session.close();
  return read;
}

const commands = fc.array(asked, { minLength: 1, maxLength: 12 });
const times = fc.array(fc.integer({ min: 0, max: 1_700_000_000_000 }), { minLength: 1, maxLength: 6 });
/** Store and application look at the clock one after the other, and it may have gone back between. */
const anyTime = { clockAheadMs: Infinity };
const folder = temporaryFolder();
const file = join(folder, 'chain.db');

test(
  'law 9: the chain of random logs, computed again from docs/reference/hash-chain.md: by SQL, and of every store',
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(commands, times, async (list, clock) => {
        for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
        const end = await run(sqlite(file, anyTime), list, clock);
        const bySql = readFile(file);
        expect(check(bySql)).toBeUndefined();
        expect(bySql.at(-1)?.hash).toBe(end.hash);
        const store = memory(anyTime);
        const other = await run(store, list, clock);
        const ofMemory = await readStore(store);
        expect(check(ofMemory)).toBeUndefined();
        expect(ofMemory.at(-1)?.hash).toBe(other.hash);
        expect(check(await readStore(sqlite(file)))).toBeUndefined();
        // The fingerprint is of what was sent; what threw isn't final, and its id may then be drawn for something else.
        for (const { commandId, fingerprint } of bySql) {
          const sent = list.filter((one) => one.id === commandId);
          if (sent.length === 0) continue;
          expect(
            sent.map(({ does, text: given, count, actor }) =>
              fingerprintOf({
                actor,
                input: { does, text: given, count, deep: [{ b: 1, a: [given, 0] }] },
                name: 'ACT ✓',
              }),
            ),
          ).toContain(fingerprint);
        }
      }),
      drawn(15, 60),
    );
  },
);

test('law 9: the vectors beside the document', () => {
  const vectors = JSON.parse(
    readFileSync(new URL('../../docs/reference/hash-chain.vectors.json', import.meta.url), 'utf8'),
  ) as readonly {
    commit: {
      command: Record<string, string>;
      outcome: string;
      final: boolean;
      time: number;
      events: ReadCommit['events'];
    } & Record<string, string>;
    position: number;
    recordedAt: number;
    hash: string;
  }[];
  const read = vectors.map(({ commit, position, recordedAt, hash }) => ({
    position,
    recordedAt,
    hash,
    time: commit.time,
    events: commit.events,
    ...{
      commandId: commit.command['id']!,
      commandName: commit.command['name']!,
      fingerprint: commit.command['fingerprint']!,
    },
    ...{
      actor: commit.command['actor'],
      correlation: commit.command['correlation'],
      causation: commit.command['causation'],
    },
    ...{
      reason: commit['reason'],
      details: commit['details'],
    },
    outcome: commit.outcome === 'succeeded' ? 0 : commit.final ? 1 : 2,
  })) as readonly ReadCommit[];
  expect(read.length).toBeGreaterThan(2);
  expect(check(read)).toBeUndefined();
});

test('control: the check finds every changed fact', async () => {
  rmSync(file, { force: true });
  await run(
    sqlite(file),
    [
      { does: 'fails', text: 'x', count: 1, id: 'a', actor: 'b', correlation: 'c', causation: 'd' },
      { does: 'several', text: 'y', count: 2 },
    ],
    [5, 6],
  );
  const [first, second] = readFile(file) as [ReadCommit, ReadCommit];
  expect(check([first, second])).toBeUndefined();
  for (const [name, value] of Object.entries(first)) {
    const changed = Array.isArray(value)
      ? [{ ...first.events[0]!, json: '{}' }]
      : name === 'outcome'
        ? 2
        : typeof value === 'number'
          ? value + 1
          : name === 'fingerprint' || name === 'hash'
            ? 'ab'.repeat(32)
            : undefined;
    expect(
      check([{ ...first, commandId: 'a', commandName: 'ACT ✓', [name]: changed ?? 'other' } as ReadCommit, second]),
      name,
    ).toBeDefined();
  }
});
