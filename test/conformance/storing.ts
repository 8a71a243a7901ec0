/**
 * Mutants that store, number or record wrongly.
 */
import { commitDigest } from '../../src/store/chain.ts';
import { memory } from '../../src/store/memory/index.ts';
import { resting } from '../../src/testing/conformance/batches.ts';
import { answersRefused, answersStored, head, mutant, pages, sends } from './mutant.ts';
import type { Mutant } from './mutant.ts';

export const storing: readonly Mutant[] = [
  mutant('stores half of a refused batch', 'stale documents and duplicates are answered together', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status === 'refused')
        await sound.append(resting({ ...batch, commits: batch.commits.slice(0, 1) }, () => false));
      return answer;
    },
  })),
  mutant(
    'skips a version',
    'each document has versions of its own',
    answersStored((stored) => ({
      ...stored,
      versions: stored.versions.map((version) => (version > 2 ? version + 1 : version)),
    })),
  ),
  mutant('answers heads after the batch', 'heads are those before the batch', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'stored') return answer;
      return { ...answer, heads: await Promise.all(batch.reads.map((read) => head(sound, read))) };
    },
  })),
  mutant(
    'stores events in another order',
    'several events of one commit',
    sends((batch) => ({
      ...batch,
      commits: batch.commits.map((commit) => Object.assign({}, commit, { events: [...commit.events].reverse() })),
    })),
  ),
  mutant(
    'sorts attachments',
    'one event may be attached to many',
    pages((page) => ({
      ...page,
      events: page.events.map((event) =>
        Object.assign({}, event, { attachments: [...event.attachments].sort((a, b) => (a.id < b.id ? -1 : 1)) }),
      ),
    })),
  ),
  mutant('loses what isn’t asked of an answer: reasons', 'all that is recorded comes back', (sound) => ({
    commits: async (range) =>
      (await sound.commits(range)).map((commit) => Object.assign({}, commit, { reason: undefined })),
  })),
  mutant('stores a command twice that is sent twice', 'a batch sent again after a lost connection', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'refused' || answer.stale.length > 0) return answer;
      const commits = batch.commits.map((commit) => {
        const command = { ...commit.command, id: `${commit.command.id} again` };
        return { ...commit, command, digest: commitDigest({ ...commit, command }) };
      });
      return sound.append({ ...batch, commits });
    },
  })),
  mutant(
    'names one duplicate',
    'refused if a command id has a final outcome',
    answersRefused((refused) => ({
      ...refused,
      duplicates: refused.duplicates.slice(0, 1),
    })),
  ),
  mutant('stores the last of two commits with one id', 'a batch that isn’t valid', (sound) => ({
    append: (batch) => {
      const commits = [...new Map(batch.commits.map((commit) => [commit.command.id, commit])).values()];
      return sound.append({ ...batch, commits });
    },
  })),
  mutant('takes any outcome for final', 'an outcome that isn’t final may repeat', (sound) => ({
    append: async (batch) => {
      const known = await sound.ledger(batch.commits.map(({ command }) => command.id));
      if (known.length === 0) return sound.append(batch);
      const duplicates = known.map(({ command }) => command.id);
      return { status: 'refused', end: (await sound.load([])).end, heads: [], stale: [], duplicates };
    },
  })),
  {
    defect: 'forgets everything when it is closed',
    caught: 'what was acknowledged is there after',
    makeStore: () => {
      let store = memory();
      return {
        name: 'forgetful',
        open: async () => {
          const session = await store.open();
          const close = session.close.bind(session);
          return Object.assign(session, {
            close: async () => {
              store = memory();
              await close();
            },
          });
        },
      };
    },
  },
];
