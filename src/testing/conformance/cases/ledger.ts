/**
 * One final outcome for each command id, whatever is sent again.
 */
import { commit, event, notFinal, range, START, user } from '../batches.ts';
import { onClockedLog, onLog } from '../case.ts';
import { each, same } from '../plain.ts';

export const ledgerCases = [
  onClockedLog(
    1,
    'the ledger holds the outcome of a command, and nothing of one that was never recorded',
    async (log) => {
      await log.append(commit('before', event('NOTED')));
      const facts = {
        outcome: 'failed',
        reason: 'SOLD_OUT',
        details: '{"left":0}',
        actor: 'ann',
        time: START + 1,
      } as const;
      const { end, commits } = await log.append(commit('c1', [event('NOTED'), event('NOTED')], facts));
      const [entry, ...rest] = await log.session.ledger(['unknown', 'c1', 'C1', 'c']);
      same(rest, []);
      same(entry, {
        command: { id: 'c1', name: 'DO_IT', fingerprint: 'ab'.repeat(32), actor: 'ann' },
        outcome: 'failed',
        final: true,
        reason: 'SOLD_OUT',
        details: '{"left":0}',
        time: START + 1,
        position: 2,
        eventCount: 2,
        recordedAt: START + 1,
        hash: end.hash,
      });
      same(commits[0]?.hash, end.hash);
      same(await log.session.ledger([]), []);
    },
  ),

  onLog(1, 'an outcome that isn’t final may repeat, and be followed by a final one', async (log) => {
    const entry = async () => {
      const [found, ...rest] = await log.session.ledger(['c1']);
      same(rest, []);
      return [found?.final, found?.reason, found?.position];
    };
    await log.append(notFinal('c1', 'OTHER'));
    same(await entry(), [false, 'OTHER', 1]);
    await log.append([commit('other', event('NOTED')), notFinal('c1', 'ERROR')]);
    same(await entry(), [false, 'ERROR', 3]);
    await log.append(commit('c1', event('NOTED', user('u1'))));
    same(await entry(), [true, undefined, 4]);
    await log.refuse(commit('c1', event('NOTED', user('u1'))));
    same(await entry(), [true, undefined, 4]);
    const recorded = await log.session.commits({ limit: 10 });
    same(
      recorded.map(({ command, final }) => `${command.id} ${final}`),
      ['c1 false', 'other true', 'c1 false', 'c1 true'],
    );
  }),

  onLog(1, 'a batch sent again after a lost connection is stored once (lesson 10)', async (log) => {
    const seen = log.end;
    const batch = [commit('c1', event('CREATED', user('u1'))), commit('c2', event('NOTED', user('u1')))];
    const first = await log.append(batch);
    // Exactly the same batch, with what the engine knew before it got no answer, and from another session.
    const { duplicates } = await log.unchangedBy(() => log.refuse(batch, { seen }));
    same([...duplicates].sort(), ['c1', 'c2']);
    await log.refuse(batch, { seen, by: await log.open() });
    const entries = await log.session.ledger(['c1', 'c2']);
    same(each(entries, 'hash').sort(), each(first.commits, 'hash').sort());
  }),

  onLog(1, 'two servers that send one command at once store it once', async (log) => {
    const [first, second] = await log.sessions(2);
    const seen = log.end;
    for (const n of range(1, 10)) {
      const answers = await Promise.all(
        [first!, second!].map((by, index) =>
          log.send(commit(`c${n}`, event('NOTED', user(`u${index}`))), { by, seen }),
        ),
      );
      same(each(answers, 'status').sort(), ['refused', 'stored']);
      same(
        answers.flatMap((answer) => (answer.status === 'refused' ? answer.duplicates : [])),
        [`c${n}`],
      );
    }
    same((await log.session.commits({ limit: 100 })).length, 10);
  }),

  onLog(1, 'thousands of ids may be asked for at once', async (log) => {
    await log.append(range(1, 1500).map((n) => commit(`c${n}`, event('NOTED'))));
    const found = await log.session.ledger(range(1, 3000).map((n) => `c${n}`));
    same(
      each(found, 'position').sort((a, b) => a - b),
      range(1, 1500),
    );
  }),
];
