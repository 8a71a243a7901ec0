/**
 * Mutants that lose, repeat or disturb what is stored when it is read.
 */
import { setImmediate as pause } from 'node:timers/promises';
import { LogCorrupt } from '../../src/errors.ts';
import { PAGE_BYTES_MAX } from '../../src/store/store.ts';
import { ids, mutant, pages } from './mutant.ts';
import type { Mutant } from './mutant.ts';

export const reading: readonly Mutant[] = [
  mutant(
    'reorders a page',
    'forward pages hold every event',
    pages((page) => ({ ...page, events: [...page.events].reverse() })),
  ),
  mutant(
    'loses the last event of a page',
    'a reader that pages while others write',
    pages((page) => (page.next === undefined ? page : { ...page, events: page.events.slice(0, -1) })),
  ),
  mutant(
    'repeats an event on the next page',
    'the next page starts where the last one ended',
    pages((page) => (page.next === undefined ? page : { ...page, next: page.next - 1 })),
  ),
  mutant(
    'takes an empty page for the end',
    'a page that ends before a rare type',
    pages((page) => (page.events.length === 0 ? { ...page, next: undefined } : page)),
  ),
  mutant('takes before for inclusive', 'after and before are exclusive', (sound) => ({
    read: (range) => sound.read('document' in range ? range : { ...range, before: range.before && range.before + 1 }),
  })),
  mutant('scans versions that are not there', 'a scan holds what reading holds', (sound) => ({
    scan: async (range) => {
      const page = await sound.scan(range);
      const later = page.events.map((event) => ({
        ...event,
        attachments: event.attachments.map((one, index) => (index % 2 === 0 ? one : one + 1)),
      }));
      return { ...page, events: later };
    },
  })),
  mutant('loses the last event of a scan', 'a scan holds what reading holds', (sound) => ({
    scan: async (range) => {
      const page = await sound.scan(range);
      return page.next === undefined ? page : { ...page, events: page.events.slice(0, -1) };
    },
  })),
  mutant('names only the first document of a scan', 'a scan holds what reading holds', (sound) => ({
    scan: async (range) => {
      const page = await sound.scan(range);
      return { ...page, named: page.named.slice(0, 1) };
    },
  })),
  mutant('scans without a bound', 'a page of a scan is bounded', (sound) => ({
    scan: async (range) => {
      const first = await sound.scan(range);
      if (first.next === undefined) return first;
      const more = await sound.scan({ ...range, after: first.next });
      return { ...more, events: [...first.events, ...more.events], named: [...first.named, ...more.named] };
    },
  })),
  mutant('cuts what isn’t plain off a text', 'each event of a scan has its own text', (sound) => ({
    scan: async (range) => {
      const page = await sound.scan(range);
      return {
        ...page,
        events: page.events.map((event) => Object.assign({}, event, { json: event.json.replace(/[^\0-\uffff]/u, '') })),
      };
    },
  })),
  mutant('calls documents by their places', 'a document is called in a load what scans call it', (sound) => ({
    load: async (requests, options) => {
      const loaded = await sound.load(requests, options);
      return {
        ...loaded,
        documents: loaded.documents.map((one, index) => Object.assign({}, one, { document: index + 1 })),
      };
    },
  })),
  mutant('loads without a look at what was seen', 'another hash than the log has', (sound) => ({
    load: async (requests, options) => ({ ...(await sound.load(requests, options)), holds: true }),
  })),
  mutant('scans without a look at what was seen', 'a position within a commit', (sound) => ({
    scan: async (range) => ({ ...(await sound.scan(range)), holds: true }),
  })),
  mutant('is off by one in asOf', 'asOf answers as the log was', (sound) => ({
    load: (requests, { asOf } = {}) => sound.load(requests, { asOf: asOf && asOf - 1 }),
  })),
  mutant('counts later events in heads', 'asOf answers as the log was', (sound) => ({
    load: async (requests, options) => {
      const then = await sound.load(requests, options);
      const now = await sound.load(requests);
      const documents = then.documents.map((document, n) => ({ ...document, head: now.documents[n]!.head }));
      return { ...then, documents };
    },
  })),
  mutant('ignores upTo', 'events above upTo are not returned', (sound) => ({
    load: (requests, options) =>
      sound.load(
        requests.map(({ collection, id, after }) => ({ collection, id, after })),
        options,
      ),
  })),
  mutant('loads each document at another point', 'what is loaded together is from one point', (sound) => ({
    load: async (requests, options) => {
      const documents = [];
      for (const request of requests) {
        documents.push(...(await sound.load([request], options)).documents);
        await pause();
      }
      return { ...(await sound.load([], options)), documents };
    },
  })),
  mutant('takes the decision’s time for that of recording', 'recordedBy goes by the time of recording', (sound) => ({
    commits: async ({ recordedBy = Infinity, ...range }) =>
      (await sound.commits(range)).filter(({ time }) => time <= recordedBy),
  })),
  mutant('takes upTo for exclusive', 'after is exclusive and upTo inclusive', (sound) => ({
    commits: (range) => sound.commits({ ...range, upTo: range.upTo && range.upTo - 1 }),
  })),
  mutant('returns every attempt of a command', 'an outcome that isn’t final may repeat', (sound) => ({
    ledger: async (ids) => (await sound.commits({ limit: 1000 })).filter(({ command }) => ids.includes(command.id)),
  })),
  mutant('orders ids by UTF-16', 'ids are ordered by their UTF-8 bytes', (sound) => ({
    documents: async (range) => [...(await sound.documents(range))].sort((a, b) => (a.id < b.id ? -1 : 1)),
  })),
  mutant('bounds pages by rows alone', 'a page holds at most so many bytes', (sound) => ({
    read: async (range) => {
      const first = await sound.read(range);
      if ('document' in range || range.reverse === true || first.next === undefined) return first;
      const second = await sound.read({ ...range, after: first.next });
      return { ...second, events: [...first.events, ...second.events] };
    },
  })),
  mutant('bounds pages by rows and bytes alone', 'a page holds at most so many attachments', (sound) => ({
    read: async (range) => {
      const page = await sound.read(range);
      if (page.next === undefined || 'document' in range || range.reverse) return page;
      const more = await sound.read({ ...range, after: page.next, limit: range.limit - page.events.length });
      return { ...more, events: [...page.events, ...more.events] };
    },
  })),
  mutant('bounds scans by rows and bytes alone', 'a scan holds at most so many attachments', (sound) => ({
    scan: async (range) => {
      const page = await sound.scan(range);
      if (page.next === undefined) return page;
      const more = await sound.scan({ ...range, after: page.next, limit: range.limit - page.events.length });
      return { ...more, events: [...page.events, ...more.events], named: [...page.named, ...more.named] };
    },
  })),
  mutant('bounds a document’s pages by rows alone', 'a document’s page holds at most so many bytes', (sound) => ({
    read: async (range) => {
      const first = await sound.read(range);
      if (!('document' in range) || first.next === undefined) return first;
      const second = await sound.read({ ...range, after: first.next });
      return { ...second, events: [...first.events, ...second.events] };
    },
  })),
  mutant('returns nothing where the first text is too long', 'a load holds at most so many bytes', (sound) => ({
    load: async (requests, options) => {
      const loaded = await sound.load(requests, options);
      const documents = loaded.documents.map((document) => ({
        ...document,
        events: document.events.some(({ json }) => json.length > PAGE_BYTES_MAX) ? [] : document.events,
      }));
      return { ...loaded, documents };
    },
  })),
  mutant('bounds each document of a load by itself', 'a load holds at most so many bytes', (sound) => ({
    load: async (requests, options) => {
      const all = await sound.load([], options);
      const each = await Promise.all(requests.map((request) => sound.load([request], options)));
      return { ...all, documents: each.flatMap(({ documents }) => documents) };
    },
  })),
  mutant('counts a text for each document', 'a text that documents share counts once', (sound) => ({
    load: async (requests, options) => {
      const loaded = await sound.load(requests, options);
      let bytes = 0;
      const fits = ({ json }: { readonly json: string }): boolean =>
        (bytes += Buffer.byteLength(json)) <= PAGE_BYTES_MAX || bytes === Buffer.byteLength(json);
      const documents = loaded.documents.map((one) => ({ ...one, events: one.events.filter(fits) }));
      return { ...loaded, documents };
    },
  })),
  mutant('counts a text for each stale document', 'a text that documents share counts once', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'refused') return answer;
      let bytes = 0;
      const fits = ({ json }: { readonly json: string }): boolean =>
        (bytes += Buffer.byteLength(json)) <= PAGE_BYTES_MAX;
      const stale = answer.stale.map((document) => ({ ...document, events: document.events.filter(fits) }));
      return { ...answer, stale };
    },
  })),
  mutant('bounds a refusal by rows alone', 'a refusal holds at most so many bytes', (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      if (answer.status !== 'refused') return answer;
      const stale = await Promise.all(
        answer.stale.map(async ({ collection, id, head }) => {
          const { version: after } = batch.reads.find((read) => read.id === id && read.collection === collection)!;
          const { documents } = await sound.load([{ collection, id, after }]);
          return { collection, id, head, events: documents[0]!.events };
        }),
      );
      return { ...answer, stale };
    },
  })),
  mutant(
    'refuses bounds that no position has',
    'limits of a page that no position or version can have are not errors',
    (sound) => ({
      read: async (range) => {
        if (!Number.isInteger(range.after ?? 0)) throw new LogCorrupt('An event is missing, or so it seems.');
        return sound.read(range);
      },
    }),
  ),
  mutant('lists documents without a bound', 'so many documents at most', (sound) => ({
    documents: async (range) => {
      const first = await sound.documents(range);
      const rest = first.length < 1000 ? [] : await sound.documents({ ...range, after: first.at(-1) });
      return range.limit > 1000 ? [...first, ...rest] : first;
    },
  })),
  mutant(
    'folds case',
    'ids that differ by case',
    ids((id) => id.toLowerCase()),
  ),
  mutant(
    'normalises ids',
    'ids that differ by normalisation form',
    ids((id) => id.normalize('NFC')),
  ),
  mutant(
    'trims ids',
    'ids that differ by spaces',
    ids((id) => id.trim()),
  ),
  mutant(
    'cuts long ids',
    'ids that differ by length',
    ids((id) => id.slice(0, 255)),
  ),
  mutant(
    'reads the text of events',
    'the text of an event and of details is kept',
    pages((page) => ({
      ...page,
      events: page.events.map((event) => {
        try {
          return Object.assign({}, event, { json: JSON.stringify(JSON.parse(event.json)) });
        } catch {
          return event;
        }
      }),
    })),
  ),
];
