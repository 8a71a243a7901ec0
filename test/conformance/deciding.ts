/**
 * Mutants that judge wrongly whether a decision still stands.
 */
import { setImmediate as pause } from 'node:timers/promises';
import { STALE_EVENTS_MAX } from '../../src/store/store.ts';
import { resting } from '../../src/testing/conformance/batches.ts';
import { answersRefused, head, mutant, sends, withDefect } from './mutant.ts';
import type { Mutant } from './mutant.ts';

const nothing = (): boolean => false;

export const deciding: readonly Mutant[] = [
  mutant('skips the stale check', 'refused if an event of a handled type', (sound) => ({
    append: async (batch) => {
      const heads = await Promise.all(batch.reads.map((read) => head(sound, read)));
      const answer = await sound.append(resting(batch, nothing));
      return answer.status === 'stored' ? { ...answer, heads } : answer;
    },
  })),
  mutant('checks, and then writes', 'of several that decided on the same version', (sound) => ({
    append: async (batch) => {
      const heads = await Promise.all(batch.reads.map((read) => head(sound, read)));
      await pause();
      if (heads.some((now, index) => now > batch.reads[index]!.version)) return sound.append(batch);
      const answer = await sound.append(resting(batch, nothing));
      return answer.status === 'stored' ? { ...answer, heads } : answer;
    },
  })),
  mutant('takes any attachment for stale', 'merely being attached is no conflict', (sound) => ({
    append: async (batch) => {
      const { end, documents } = await sound.load(
        batch.reads.map(({ collection, id, version }) => ({ collection, id, after: version })),
      );
      const stale = documents.flatMap((document, index) =>
        document.events.length > 0 ? [{ ...batch.reads[index]!, ...document }] : [],
      );
      const heads = documents.map((document) => document.head);
      return stale.length > 0 ? { status: 'refused', end, heads, stale, duplicates: [] } : sound.append(batch);
    },
  })),
  {
    defect: 'lets the writer of an event say whether it matters',
    caught: 'what is handled is the deciding application',
    makeStore: withDefect(() => {
      const matters = new Map<string, Set<string>>();
      return sends((batch) => {
        for (const { type, attachments } of batch.commits.flatMap(({ events }) => events)) {
          for (const { collection } of attachments) {
            if (!batch.handled.get(collection)?.has(type)) continue;
            matters.set(collection, (matters.get(collection) ?? new Set<string>()).add(type));
          }
        }
        return { ...batch, handled: matters };
      });
    }),
  },
  mutant(
    'takes a type handled anywhere for handled everywhere',
    'a type that only another collection handles',
    (sound) => ({
      append: (batch) => {
        const all = [...batch.handled.values()].reduce((all, types) => all.union(types), new Set<string>());
        return sound.append({ ...batch, handled: new Map(['users', 'services', 'orders'].map((name) => [name, all])) });
      },
    }),
  ),
  mutant(
    'takes version 0 for no check',
    '“must not exist yet”',
    sends((batch) => resting(batch, ({ version }) => version > 0)),
  ),
  mutant(
    'looks only above the end seen',
    'staleness goes by the version read',
    sends(async (batch, sound) => {
      const reads = batch.reads.map(async (read) => ({
        ...read,
        version: Math.max(read.version, await head(sound, read, batch.seen.position)),
      }));
      return { ...batch, reads: await Promise.all(reads) };
    }),
  ),
  mutant(
    'looks only at the first events above the version',
    'a refusal is bounded, and staleness is found',
    (sound) => ({
      append: async (batch) => {
        const answer = await sound.append(batch);
        if (answer.status !== 'refused') return answer;
        const stale = answer.stale.filter(({ collection, events }) =>
          events.some(({ type }) => batch.handled.get(collection)?.has(type)),
        );
        return { ...answer, stale };
      },
    }),
  ),
  mutant(
    'names one stale document',
    'every stale document is named',
    answersRefused((refused) => ({
      ...refused,
      stale: refused.stale.slice(0, 1),
    })),
  ),
  mutant(
    'tells only of events that are handled',
    'a refusal carries every event',
    answersRefused((refused, { handled }) => ({
      ...refused,
      stale: refused.stale.map((document) => ({
        ...document,
        events: document.events.filter(({ type }) => handled.get(document.collection)?.has(type)),
      })),
    })),
  ),
  mutant('forgets the bound of a refusal over all its documents', 'a refusal is bounded over all', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'refused') return answer;
      const stale = [];
      for (const document of answer.stale) {
        const after = batch.reads.find(
          ({ collection, id }) => collection === document.collection && id === document.id,
        )!.version;
        const { documents } = await sound.load([{ ...document, after, upTo: after + STALE_EVENTS_MAX }]);
        stale.push({ ...document, events: documents[0]!.events });
      }
      return { ...answer, stale };
    },
  })),
  mutant('forgets the bound of a refusal', 'a refusal is bounded, and', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'refused') return answer;
      const { documents } = await sound.load(
        answer.stale.map(({ collection, id, events }) => ({ collection, id, after: events[0]!.version - 1 })),
      );
      const stale = answer.stale.map((document, index) => Object.assign({}, document, documents[index]!));
      return { ...answer, stale: stale.some(({ events }) => events.length > STALE_EVENTS_MAX) ? stale : answer.stale };
    },
  })),
];
