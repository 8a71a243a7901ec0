/**
 * Several servers at once. Each case checks that they really disturbed each other, and that none of them starved.
 */
import assert from 'node:assert/strict';
import { setImmediate as pause } from 'node:timers/promises';
import type { Commit, EventPage, LogEnd, Session } from '../../../store/store.ts';
import { above, at, commit, event, GENESIS, order, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents, everything } from '../log.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';

const SERVERS = 4;

/** Buys once: load, decide, append, and again until it is stored. Returns how often it was refused. */
async function buy(log: TestLog, by: Session, id: string): Promise<number> {
  for (let refusals = 0; ; refusals++) {
    const { documents, end } = await by.load([above(service('s1'), 0)]);
    const { head } = documents[0]!;
    // Takes a moment to decide. Otherwise a fast store would serve one buyer after the other.
    await pause();
    const reads = [at(service('s1'), head)];
    const answer = await by.append(log.batch(commit(id, event('BOUGHT', service('s1'))), { reads, seen: end }));
    if (answer.status === 'stored') return refusals;
    assert(answer.status === 'refused', `got ${answer.status}`);
    assert(
      answer.stale[0]?.events.some(({ type }) => type === 'BOUGHT'),
      'refused for events that nobody handles',
    );
    assert(refusals < 500, 'one of the servers starves');
  }
}

/** All sessions except the first write. The first one reads as often as it can, and once more at the end: the ends it saw. */
async function readWhileWriting(
  log: TestLog,
  batch: (server: number, n: number) => readonly Commit[],
  read: (reader: Session) => Promise<readonly LogEnd[]>,
): Promise<void> {
  const [reader, ...writers] = await log.sessions(SERVERS);
  const racing = { over: false };
  const write = async (by: Session, server: number): Promise<void> => {
    for (const n of range(1, 15)) {
      await log.append(batch(server, n), { by, seen: GENESIS });
      // Gives the others a turn, like a server that waits for its next request.
      await pause();
    }
  };
  const ends: number[] = [];
  const follow = async (): Promise<void> => {
    for (let last = false; !last; await pause()) {
      last = racing.over;
      ends.push(...each(await read(reader!), 'position'));
    }
  };
  await Promise.all([Promise.all(writers.map(write)).finally(() => (racing.over = true)), follow()]);
  same(
    ends,
    [...ends].sort((a, b) => a - b),
    'the end of the log went back',
  );
  assert(new Set(ends).size > 3, 'the reader never met the writers: this shows nothing');
}

export const concurrencyCases = [
  onLog(5, 'of several that decided on the same version, exactly one is stored (lessons 2 and 7)', async (log) => {
    const sessions = await log.sessions(SERVERS);
    for (const round of range(0, 9)) {
      // All read before any of them writes.
      const heads = await Promise.all(sessions.map((session) => log.head(service('s1'), session)));
      same(new Set(heads), new Set([round]));
      const answers = await Promise.all(
        sessions.map((by, n) =>
          log.send(commit(`c${round}-${n}`, event('BOUGHT', service('s1'))), { by, reads: [at(service('s1'), round)] }),
        ),
      );
      same(answers.filter(({ status }) => status === 'stored').length, 1, `round ${round}`);
      same(answers.filter(({ status }) => status === 'refused').length, SERVERS - 1, `round ${round}`);
    }
    same(await log.head(service('s1')), 10);
  }),

  onLog(5, 'racers that read, decide and append on one document lose no update', async (log) => {
    const sessions = await log.sessions(SERVERS);
    const refusals = await Promise.all(
      sessions.map(async (by, server) => {
        let refused = 0;
        for (const n of range(1, 8)) refused += await buy(log, by, `c${server}-${n}`);
        return refused;
      }),
    );
    const { events, commits } = await everything(log.session);
    same(
      events.map(({ attachments }) => attachments[0]?.version),
      range(1, SERVERS * 8),
    );
    same(new Set(commits.map(({ command }) => command.id)).size, SERVERS * 8);
    assert(
      refusals.some((count) => count > 0),
      'the servers never met: this shows nothing',
    );
  }),

  onLog(5, 'racers on one document aren’t held up by events that nobody handles', async (log) => {
    const sessions = await log.sessions(SERVERS);
    const [noting, ...buying] = sessions;
    const racing = { over: false };
    const notes = async () => {
      let count = 0;
      for (; !racing.over || count < 20; count++) {
        assert(count < 5_000, 'the buyers starve');
        await log.append(commit(`note-${count}`, event('NOTED', service('s1'))), { by: noting!, seen: GENESIS });
        // Between the load and the append of a buyer come fewer events than a refusal holds.
        if (count % 5 === 0) await pause();
      }
      return count;
    };
    const buyers = Promise.all(
      buying.map(async (by, server) => {
        for (const n of range(1, 6)) await buy(log, by, `c${server}-${n}`);
      }),
    ).finally(() => (racing.over = true));
    const [count] = await Promise.all([notes(), buyers]);
    same(await log.head(service('s1')), count + buying.length * 6);
    const { documents } = await log.session.load([above(service('s1'), 0)]);
    same(
      documents[0]?.events.map(({ version }) => version),
      range(1, count + buying.length * 6),
    );
    // A batch that read before all the notes, and after the last purchase, is stored.
    const version = documents[0]!.events.findLast(({ type }) => type === 'BOUGHT')!.version;
    await log.append(commit('last', event('BOUGHT', service('s1'))), { reads: [at(service('s1'), version)] });
  }),

  onLog(5, 'writers of different documents don’t collide (lesson 5)', async (log) => {
    const sessions = await log.sessions(SERVERS);
    await Promise.all(
      sessions.map(async (by, server) => {
        for (const n of range(0, 9)) {
          const reads = [at(service(`s${server}`), n)];
          await log.append(commit(`c${server}-${n}`, event('BOUGHT', service(`s${server}`))), {
            by,
            reads,
            seen: GENESIS,
          });
        }
      }),
    );
    same(each(await allEvents(log.session), 'position'), range(1, SERVERS * 10));
  }),

  onLog(3, 'a reader that pages while others write skips nothing and sees nothing twice (lesson 3)', async (log) => {
    const found: number[] = [];
    await readWhileWriting(
      log,
      (server, n) => {
        const events = range(0, n % 4).map(() => event('NOTED', user(`u${n % 3}`)));
        return [commit(`c${server}-${n}`, events), commit(`d${server}-${n}`, events)];
      },
      async (reader) => {
        const ends: LogEnd[] = [];
        for (;;) {
          const page: EventPage = await reader.read({ after: found.length, limit: 3 });
          found.push(...each(page.events, 'position'));
          ends.push(page.end);
          // Law 2 as a reader sees it: a commit is there as a whole, or not at all.
          const cut = page.events.find(({ commit }) => commit.position + commit.eventCount - 1 > page.end.position);
          same(cut, undefined, 'the log ended within a commit');
          if (page.next === undefined) return ends;
          assert.equal(page.next, found.length, 'the next page doesn’t start where this one ended');
        }
      },
    );
    same(found, range(1, log.end.position));
  }),

  onLog(3, 'what is loaded together is from one point of the log', async (log) => {
    let last = 0;
    await readWhileWriting(
      log,
      (server, n) => [
        commit(`c${server}-${n}`, event('BOUGHT', user('a'), order('b'))),
        commit(`d${server}-${n}`, event('NOTED', order('b'), user('a'))),
      ],
      async (reader) => {
        const { documents, end } = await reader.load([above(user('a'), last), above(order('b'), last)]);
        const [a, b] = documents;
        same([a?.head, b?.head], [end.position, end.position]);
        same(a?.events, b?.events);
        same(
          a?.events.map(({ version }) => version),
          range(last + 1, end.position),
        );
        assert(end.position % 2 === 0, 'a part of a batch was visible');
        last = end.position;
        return [end];
      },
    );
    same(await log.head(user('a')), last);
  }),

  onLog(6, 'for a reader, documents and the log only move forward', async (log) => {
    const sessions = await log.sessions(SERVERS);
    await Promise.all(
      sessions.map(async (session, server) => {
        let [head, end, recordedAt] = [0, 0, 0];
        for (const n of range(1, 10)) {
          const { versions } = await log.append(commit(`c${server}-${n}`, event('NOTED', user('u1'))), {
            by: session,
            seen: GENESIS,
          });
          const loaded = await session.load([above(user('u1'), 0)]);
          // At least as far as its own write, and never less than before.
          assert(loaded.documents[0]!.head >= Math.max(head, versions[0]!));
          assert(loaded.end.position >= end && loaded.end.recordedAt >= recordedAt);
          [head, end, recordedAt] = [loaded.documents[0]!.head, loaded.end.position, loaded.end.recordedAt];
        }
      }),
    );
  }),
];
