/** What is soaked: one domain for honest callers and for those who know no bounds. */
import { domain, type, type App } from 'tidemark';

const shop = domain({
  events: {
    NOTED: type<{ doc_id: string; n: number }>(),
    FILLED: type<{ doc_id: string; text: string }>(),
    TAGGED: type<{ tag_ids: readonly string[] }>(),
  },
});

export const docs = shop.collection('docs', {
  key: 'doc_id',
  initial: { n: 0, text: '' },
  reduce: { NOTED: (doc, { n }) => ({ ...doc, n }), FILLED: (doc, { text }) => ({ ...doc, text }) },
});

const tags = shop.collection('tags', {
  key: 'tag_ids',
  initial: { n: 0 },
  reduce: { TAGGED: ({ n }) => ({ n: n + 1 }) },
});

/** One more than was read: what is lost, or stored twice, shows in the number. */
export const note = shop.command('NOTE', {
  input: type<{ doc_id: string }>(),
  reads: ({ doc_id }) => ({ doc: docs.ref(doc_id) }),
  decide: ({ doc }, { doc_id }) => ({ type: 'NOTED', doc_id, n: doc.state.n + 1 }),
});

export const fill = shop.command('FILL', {
  input: type<{ doc_id: string; text: string }>(),
  decide: (_, input) => ({ type: 'FILLED', ...input }),
});

/** Reads many documents, and takes its time to decide. */
export const wide = shop.command('WIDE', {
  input: type<{ doc_id: string; from: number; count: number; ms: number }>(),
  reads: ({ from, count }) => ({ all: Array.from({ length: count }, (_, n) => docs.ref(`w${from + n}`)) }),
  decide: ({ all }, { doc_id, ms }) => {
    for (const end = performance.now() + ms; performance.now() < end;);
    return { type: 'NOTED', doc_id, n: all.length };
  },
});

/** A million tags, in lists of a thousand. */
const tagLists = Array.from({ length: 1_000 }, (_, list) => Array.from({ length: 1_000 }, (_, n) => `t${list}-${n}`));

export const tag = shop.command('TAG', {
  input: type<{ from: number; events: number }>(),
  decide: (_, { from, events }) =>
    Array.from({ length: events }, (_, n) => ({ type: 'TAGGED' as const, tag_ids: tagLists[(from + n) % 1_000]! })),
});

/** Calls an outside world that answers late. */
export const call = shop.command('CALL', {
  input: type<{ doc_id: string; ms: number }>(),
  prepare: (_, { signal }) =>
    new Promise<number>((resolve) => {
      const timer = setTimeout(resolve, _.ms, 1);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve(0)), { once: true });
    }),
  decide: (_, { doc_id }) => ({ type: 'NOTED', doc_id, n: 1 }),
});

export const parts = { collections: [docs, tags], commands: [note, fill, wide, tag, call] } as const;

export type Shop = App<(typeof parts.commands)[number], (typeof parts.collections)[number]>;
