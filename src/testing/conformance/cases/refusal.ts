/**
 * What makes ground stale, what doesn't, and what a refusal says.
 */
import assert from 'node:assert/strict';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../../../store/store.ts';
import { at, commit, event, handling, notFinal, order, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { each, same, throwsCode } from '../plain.ts';

export const refusalCases = [
  onLog(5, 'refused if an event of a handled type was attached above the version read', async (log) => {
    await log.append(commit('c1', event('CREATED', service('s1'))));
    const { end } = await log.append(commit('c2', event('BOUGHT', service('s1'))));
    const refused = await log.unchangedBy(() =>
      log.refuse(commit('c3', event('NOTED')), { reads: [at(service('s1'), 1)] }),
    );
    same(
      refused.stale.map(({ collection, id, head }) => ({ collection, id, head })),
      [{ ...service('s1'), head: 2 }],
    );
    same(refused.duplicates, []);
    same(refused.end, end);
  }),

  onLog(5, 'not refused for an event at or below the version read', async (log) => {
    await log.append([commit('c1', event('CREATED', service('s1'))), commit('c2', event('BOUGHT', service('s1')))]);
    const { heads } = await log.append(commit('c3', event('NOTED')), { reads: [at(service('s1'), 2)] });
    same(heads, [2]);
  }),

  onLog(5, 'merely being attached is no conflict: two sales by one seller don’t collide on the seller', async (log) => {
    await log.append(commit('c1', event('REGISTERED', user('seller'))));
    await log.append(range(2, 4).map((n) => commit(`c${n}`, event('NOTED', user('seller')))));
    const { heads, versions } = await log.append(commit('c5', event('NOTED', user('seller'))), {
      reads: [at(user('seller'), 1)],
    });
    // The engine learns of what it missed from the head.
    same([heads, versions], [[4], [5]]);
  }),

  onLog(
    5,
    'what is handled is the deciding application’s word: old and new code side by side (lesson 20)',
    async (log) => {
      await log.append(commit('c1', event('CREATED', service('s1'))));
      await log.append(commit('c2', event('RATED', service('s1'))));
      const reads = [at(service('s1'), 1)];
      const rates = handling({ services: ['CREATED', 'BOUGHT', 'RATED'] });
      await log.refuse(commit('c3', event('NOTED')), { reads, handled: rates });
      // Code that doesn't know of ratings isn't disturbed by them; nor does it matter who sent the event.
      await log.append(commit('c4', event('NOTED')), { reads });
      await log.append(commit('c5', event('CREATED', service('s2'))), { handled: handling({}) });
      await log.refuse(commit('c6', event('NOTED')), { reads: [at(service('s2'), 0)], handled: rates });
    },
  ),

  onLog(5, 'a type that only another collection handles doesn’t make a document stale', async (log) => {
    await log.append(commit('c1', event('REGISTERED', user('u1'), service('s1'), order('o1'))));
    const reads = [at(service('s1'), 0), at(order('o1'), 0)];
    await log.append(commit('c2', event('NOTED')), { reads });
    // The application may know nothing of a registered collection at all.
    await log.append(commit('c3', event('NOTED')), { reads, handled: handling({ users: ['REGISTERED'] }) });
    await log.refuse(commit('c4', event('NOTED')), { reads: [...reads, at(user('u1'), 0)] });
  }),

  onLog(5, 'a refusal carries every event above the version read, handled or not', async (log) => {
    await log.append(commit('c1', event('CREATED', service('s1')), { time: 5 }));
    await log.append([
      commit('c2', [event('NOTED'), event('NOTED', service('s1'))], { time: 6 }),
      commit(
        'c3',
        { type: 'BOUGHT', schemaVersion: 3, json: '{"price":1}', attachments: [service('s1')] },
        { time: 4 },
      ),
      commit('c4', event('NOTED', service('s1')), { time: 7 }),
    ]);
    const { stale } = await log.refuse(commit('c5', event('NOTED')), { reads: [at(service('s1'), 1)] });
    same(stale, [
      {
        ...service('s1'),
        head: 4,
        events: [
          { type: 'NOTED', schemaVersion: 1, json: '{}', version: 2, position: 3, time: 6 },
          { type: 'BOUGHT', schemaVersion: 3, json: '{"price":1}', version: 3, position: 4, time: 4 },
          { type: 'NOTED', schemaVersion: 1, json: '{}', version: 4, position: 5, time: 7 },
        ],
      },
    ]);
  }),

  onLog(5, 'every stale document is named at once, and no other', async (log) => {
    await log.append(range(1, 6).map((n) => commit(`c${n}`, event('CREATED', service(`s${n}`)))));
    await log.append([
      commit('c7', event('BOUGHT', service('s2'), user('u1'))),
      commit('c8', event('NOTED', service('s3'))),
      commit('c9', event('BOUGHT', service('s5'))),
    ]);
    const reads = [...range(1, 6).map((n) => at(service(`s${n}`), 1)), at(user('u1'), 0), at(user('u2'), 0)];
    const { stale } = await log.refuse(commit('c10', event('NOTED')), { reads });
    const named = stale.map(({ collection, id, head, events }) => `${collection} ${id} ${head} ${events.length}`);
    same(named.sort(), ['services s2 2 1', 'services s5 2 1', 'users u1 1 1']);
  }),

  onLog(5, 'a refusal is bounded, and staleness is found beyond the bound', async (log) => {
    const many = range(1, STALE_EVENTS_MAX + 20).map(() => event('NOTED', service('s1'), service('s2')));
    await log.append(commit('c1', [event('CREATED', service('s1'), service('s2')), ...many]));
    await log.append(commit('c2', event('BOUGHT', service('s1'), service('s2'))));
    const reads = [at(service('s1'), 1), at(service('s2'), 5)];
    const { stale } = await log.refuse(commit('c3', event('NOTED')), { reads });
    const found = new Map(stale.map(({ id, head, events }) => [id, { head, versions: events.map((e) => e.version) }]));
    const head = STALE_EVENTS_MAX + 22;
    same(found.get('s1'), { head, versions: range(2, STALE_EVENTS_MAX + 1) });
    same(found.get('s2'), { head, versions: range(6, STALE_EVENTS_MAX + 5) });
  }),

  onLog(5, 'a refusal is bounded over all its documents, and each is named all the same', async (log) => {
    const all = range(1, LOAD_EVENTS_MAX / STALE_EVENTS_MAX + 2).map((n) => service(`s${n}`));
    await log.append(
      commit(
        'c1',
        range(1, STALE_EVENTS_MAX).map(() => event('NOTED', ...all)),
      ),
    );
    await log.append(commit('c2', event('BOUGHT', ...all)));
    const { stale } = await log.refuse(commit('c3', event('NOTED')), { reads: all.map((ref) => at(ref, 0)) });
    const full = all.slice(2).map(() => STALE_EVENTS_MAX);
    same(
      stale.map(({ id, events }) => `${id} ${events.length}`).sort(),
      all.map(({ id }, n) => `${id} ${full[n] ?? 0}`).sort(),
    );
  }),

  onLog(
    5,
    '“must not exist yet” is a check like any other: version 0 is stale once somebody created it',
    async (log) => {
      const create = (id: string) =>
        log.send(commit(id, event('CREATED', service('s1'))), { reads: [at(service('s1'), 0)] });
      assert.equal((await create('c1')).status, 'stored');
      assert.equal((await create('c2')).status, 'refused');
      same(await log.head(service('s1')), 1);
    },
  ),

  onLog(5, 'a failed command doesn’t block the creation of what it failed on (lesson 21)', async (log) => {
    const failed = { outcome: 'failed', reason: 'UNKNOWN_SERVICE' } as const;
    await log.append(commit('c1', event('BUY_SERVICE_FAILED', service('s9')), failed), {
      reads: [at(service('s9'), 0)],
    });
    const created = await log.append(commit('c2', event('CREATED', service('s9'))), { reads: [at(service('s9'), 0)] });
    same([created.heads, created.versions], [[1], [2]]);
  }),

  onLog(5, 'an append without reads doesn’t slip past one with them (lesson 6)', async (log) => {
    await log.append(commit('c1', event('CREATED', service('s1'))));
    await log.append(commit('c2', event('BOUGHT', service('s1'))));
    const { stale } = await log.refuse(commit('c3', event('BOUGHT', service('s1'))), { reads: [at(service('s1'), 1)] });
    same(each(stale, 'head'), [2]);
  }),

  onLog(5, 'a batch doesn’t collide with itself (lesson 9)', async (log) => {
    await log.append(commit('c1', event('CREATED', service('s1'))));
    const twice = [commit('c2', event('BOUGHT', service('s1'))), commit('c3', event('BOUGHT', service('s1')))];
    same((await log.append(twice, { reads: [at(service('s1'), 1)] })).versions, [2, 3]);
  }),

  onLog(5, 'staleness goes by the version read, not by the end of the log seen', async (log) => {
    await log.append(commit('c1', event('CREATED', service('s1'))));
    await log.append(commit('c2', event('BOUGHT', service('s1'))));
    await log.append(commit('c3', event('NOTED')));
    // Seen is the newest end; the document was read long before.
    await log.refuse(commit('c4', event('NOTED')), { seen: log.end, reads: [at(service('s1'), 1)] });
    // Seen is an old end; the document was read at its newest.
    const { commits } = await log.append(commit('c5', event('NOTED')), { reads: [at(service('s1'), 2)] });
    await log.append(commit('c6', event('NOTED')), {
      seen: { position: 0, hash: '0'.repeat(64) },
      reads: [at(service('s1'), 2)],
    });
    same(each(commits, 'position'), [4]);
  }),

  onLog(1, 'refused if a command id has a final outcome; all of them are named (lesson 8)', async (log) => {
    await log.append([
      commit('c1', event('NOTED')),
      commit('c2', event('NOTED'), { outcome: 'failed', reason: 'SOLD_OUT' }),
      notFinal('c3'),
    ]);
    const again = ['c4', 'c2', 'c3', 'c1', 'c5'].map((id) => commit(id, event('NOTED', user('u1'))));
    const { fell, duplicates, stale } = await log.appendPart(again);
    same([[...duplicates].sort(), fell, stale], [['c1', 'c2'], ['c2', 'c1'], []]);
    // A unique key that is violated is a refusal, never an error.
    same([...(await log.refuse(again)).duplicates].sort(), ['c1', 'c2', 'c3', 'c4', 'c5']);
  }),

  onLog(1, 'an outcome that isn’t final doesn’t go past a final one either', async (log) => {
    await log.append(commit('c1', event('NOTED')));
    const { duplicates } = await log.unchangedBy(() => log.refuse(notFinal('c1')));
    same(duplicates, ['c1']);
  }),

  onLog(2, 'stale documents and duplicates are answered together, and nothing of the batch is stored', async (log) => {
    await log.append([commit('c1', event('CREATED', service('s1'))), commit('c2', event('CREATED', service('s2')))]);
    const batch = [
      commit('new-1', event('BOUGHT', service('s2'), user('u1'))),
      commit('c2', event('BOUGHT', service('s1'))),
      commit('new-2', [event('NOTED', user('u2')), event('NOTED')]),
    ];
    const reads = [at(service('s2'), 1), at(service('s1'), 0)];
    const { stale, duplicates } = await log.unchangedBy(() => log.refuse(batch, { reads }));
    same([each(stale, 'id'), duplicates], [['s1'], ['c2']]);
    same(await log.session.ledger(['new-1', 'new-2']), []);
    same([await log.head(user('u1')), await log.head(user('u2')), await log.head(service('s2'))], [0, 0, 1]);
    // The next batch goes on without a gap.
    const { commits, versions } = await log.append(commit('new-1', event('BOUGHT', service('s2'), user('u1'))));
    same([commits[0]?.position, versions], [3, [2, 1]]);
  }),

  onLog(2, 'a duplicate in the last commit leaves the others as they are', async (log) => {
    await log.append(commit('c1', event('NOTED')));
    const batch = [
      ...range(1, 50).map((n) => commit(`new-${n}`, event('NOTED', user('u1')))),
      commit('c1', event('NOTED')),
    ];
    const { fell, versions } = await log.appendPart(batch);
    same([fell, versions], [['c1'], range(1, 50)]);
  }),

  onLog(1, 'a batch that isn’t valid is an error of the caller, and nothing of it is stored', async (log) => {
    await log.append(commit('c1', event('BOUGHT', user('u1'))));
    const wrong = {
      'a command id twice': [commit('c2', event('NOTED')), commit('c3', event('NOTED')), commit('c2', event('NOTED'))],
      'twice, though not final': [notFinal('c2'), notFinal('c2')],
      'first not final': [notFinal('c2'), commit('c2', event('NOTED', user('u1')))],
      'no commits': [],
      'a commit without events': [commit('c2', event('NOTED')), commit('c3', [])],
      'a fingerprint that is no hash': [commit('c2', event('NOTED'), { fingerprint: 'xyz' })],
      'a fingerprint that is too short': [commit('c2', event('NOTED'), { fingerprint: 'abcd' })],
      'a digest that isn’t valid': [{ ...commit('c2', event('NOTED')), digest: 'A'.repeat(64) }],
    };
    for (const commits of Object.values(wrong))
      await log.unchangedBy(() => throwsCode('InvalidInput', log.send(commits, { reads: [at(user('u1'), 1)] })));
    const twice = [at(user('u1'), 1), at(user('u2'), 0), at(user('u1'), 0)];
    await log.unchangedBy(() => throwsCode('InvalidInput', log.send(commit('c2', event('NOTED')), { reads: twice })));
    // The session goes on.
    same((await log.append(commit('c2', event('NOTED', user('u1'))))).versions, [2]);
  }),
];
