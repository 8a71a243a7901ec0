/**
 * What a stored batch becomes: positions, versions, heads, and facts as they were sent.
 */
import assert from 'node:assert/strict';
import type { NewEvent } from '../../../store/store.ts';
import { above, factsOf, at, commit, event, notFinal, order, range, service, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents, everything } from '../log.ts';
import { each, same } from '../plain.ts';

export const appendCases = [
  onLog(3, 'positions are dense from 1, over events, commits and batches', async (log) => {
    const first = await log.append([
      commit('c1', [event('CREATED', service('s1')), event('CREATED', service('s2'))]),
      commit('c2', event('REGISTERED', user('u1'))),
    ]);
    const second = await log.append(commit('c3', [event('NOTED'), event('NOTED'), event('NOTED')]));
    const third = await log.append(commit('c4', event('NOTED')));
    same(each([...first.commits, ...second.commits, ...third.commits], 'position'), [1, 3, 4, 7]);
    same([first.end.position, second.end.position, third.end.position], [3, 6, 7]);
    same(each(await allEvents(log.session), 'position'), range(1, 7));
  }),

  onLog(2, 'the events of a commit are at consecutive positions, and say which commit they belong to', async (log) => {
    await log.append([
      commit('c1', [event('NOTED', user('u1')), event('NOTED'), event('NOTED')]),
      commit('c2', [event('NOTED'), event('NOTED')]),
    ]);
    const events = await allEvents(log.session);
    same(
      events.map(({ commit }) => commit.command.id),
      ['c1', 'c1', 'c1', 'c2', 'c2'],
    );
    same(
      events.map(({ commit }) => [commit.position, commit.eventCount]),
      [
        [1, 3],
        [1, 3],
        [1, 3],
        [4, 2],
        [4, 2],
      ],
    );
  }),

  onLog(4, 'each document has versions of its own, dense from 1', async (log) => {
    const first = await log.append([
      commit('c1', event('CREATED', service('s1'), user('u1'))),
      commit('c2', event('CREATED', service('s2'), user('u1'))),
    ]);
    const second = await log.append(commit('c3', event('BOUGHT', service('s1'), user('u1'), user('u2'))));
    same(first.versions, [1, 1, 1, 2]);
    same(second.versions, [2, 3, 1]);
    const { documents } = await log.session.load([above(user('u1'), 0)]);
    same(
      documents[0]?.events.map(({ version, position }) => [version, position]),
      [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    );
  }),

  onLog(4, 'an attachment without a read takes its document’s next version, whatever that is', async (log) => {
    await log.append(range(1, 5).map((n) => commit(`c${n}`, event('BOUGHT', user('u1')))));
    const other = await log.open();
    // Another session, which has loaded nothing and reads nothing.
    const { versions } = await log.append(commit('c6', event('BOUGHT', user('u1'))), { by: other });
    same(versions, [6]);
    same(await log.head(user('u1')), 6);
  }),

  onLog(4, 'one event may be attached to many documents, and to two of one collection', async (log) => {
    await log.append(commit('c1', event('REGISTERED', user('buyer'))));
    const { versions } = await log.append(
      commit('c2', event('BOUGHT', order('o1'), user('seller'), service('s1'), user('buyer'))),
    );
    same(versions, [1, 1, 1, 2]);
    const page = await log.session.read({ after: 1, limit: 10 });
    // In the order that they were appended in.
    const attachments = [at(order('o1'), 1), at(user('seller'), 1), at(service('s1'), 1), at(user('buyer'), 2)];
    same(page.events[0]?.attachments, attachments);
  }),

  onLog(4, 'the same id in two collections is two documents', async (log) => {
    await log.append(
      commit('c1', [event('NOTED', user('x')), event('NOTED', service('x')), event('NOTED', user('x'))]),
    );
    same([await log.head(user('x')), await log.head(service('x')), await log.head(order('x'))], [2, 1, 0]);
  }),

  onLog(4, 'commits of one batch build on each other', async (log) => {
    await log.append(commit('c0', event('CREATED', service('s1'))));
    const { versions, heads } = await log.append(
      range(1, 4).map((n) => commit(`c${n}`, event('BOUGHT', service('s1')))),
      { reads: [at(service('s1'), 1)] },
    );
    same(versions, [2, 3, 4, 5]);
    same(heads, [1]);
  }),

  onLog(4, 'several events of one commit may be attached to one document', async (log) => {
    const { versions } = await log.append(
      commit('c1', [
        event('REGISTERED', user('u1')),
        event('NOTED', user('u2'), user('u1')),
        event('BOUGHT', user('u1')),
      ]),
    );
    same(versions, [1, 1, 2, 3]);
    const { documents } = await log.session.load([above(user('u1'), 0)]);
    same(
      documents[0]?.events.map(({ type }) => type),
      ['REGISTERED', 'NOTED', 'BOUGHT'],
    );
  }),

  onLog(4, 'an event that is attached to nothing is stored like any other', async (log) => {
    const { versions, end } = await log.append([commit('c1', event('NOTED')), notFinal('c2')]);
    same(versions, []);
    same(end.position, 2);
    same(each(await allEvents(log.session), 'attachments'), [[], []]);
  }),

  onLog(4, 'heads are those before the batch, one for each row of reads, in their order', async (log) => {
    await log.append(range(1, 3).map((n) => commit(`c${n}`, event('NOTED', user('u1'), service('s1')))));
    await log.append(commit('c4', event('NOTED', user('u1'))));
    const { heads } = await log.append(commit('c5', event('NOTED', user('u1'), user('u2'), service('s1'))), {
      reads: [at(user('u2'), 0), at(service('s1'), 3), at(order('o1'), 0), at(user('u1'), 2)],
    });
    same(heads, [0, 3, 0, 4]);
  }),

  onLog('contract', 'all that is recorded comes back as it was sent', async (log) => {
    const facts = {
      name: 'BUY_SERVICE',
      fingerprint: '0123456789abcdef'.repeat(4),
      actor: 'ann',
      correlation: 'order-1',
      causation: 'event-7',
      outcome: 'failed',
      reason: 'SOLD_OUT',
      details: '{ "left" :0}',
      time: START + 5,
    } as const;
    const bought: NewEvent = {
      type: 'BUY_SERVICE_FAILED',
      schemaVersion: 7,
      json: '{"service_id":"s1"}',
      attachments: [service('s1')],
    };
    const unchecked: NewEvent = { ...event('NOTED'), schemaVersion: 0 };
    const sent = [commit('c1', [bought, unchecked], facts), commit('c2', event('NOTED')), notFinal('c3')];
    const { commits } = await log.append(sent);
    const stored = sent.map((sent, index) =>
      Object.assign({}, factsOf(sent), commits[index]!, { eventCount: sent.events.length }),
    );
    const all = await everything(log.session);
    same(all.commits, stored);
    same(all.ledger, stored);
    same(
      all.events,
      sent.flatMap((commit, index) =>
        commit.events.map((event, offset) => ({
          ...event,
          position: stored[index]!.position + offset,
          attachments: event.attachments.map((ref) => at(ref, 1)),
          commit: stored[index],
        })),
      ),
    );
  }),

  onLog(2, 'a commit of a thousand events, and an event of a thousand documents, are stored whole', async (log) => {
    const wide = event('NOTED', ...range(1, 1000).map((n) => user(`u${n}`)));
    const long = range(1, 1000).map(() => event('NOTED', user('u1')));
    const { versions, end } = await log.append([commit('c1', wide), commit('c2', long)]);
    same(versions, [...range(1, 1000).map(() => 1), ...range(2, 1001)]);
    same(end.position, 1001);
    const page = await log.session.read({ limit: 1 });
    assert.equal(page.events[0]?.attachments.length, 1000);
    same(page.events[0]?.attachments[999], at(user('u1000'), 1));
  }),
];
