/**
 * Scanning: the log as a fold reads it, which must be the same log that everybody else reads.
 */
import assert from 'node:assert/strict';
import { PAGE_BYTES_MAX, PAGE_ROWS_MAX } from '../../../store/store.ts';
import type { DocumentRef, DocumentVersion, ScannedEvent, Session } from '../../../store/store.ts';
import { commit, event, range, service, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents } from '../log.ts';
import type { TestLog } from '../log.ts';
import { each, same } from '../plain.ts';

type Resolved = Omit<ScannedEvent, 'attachments'> & { readonly attachments: readonly DocumentVersion[] };

/** The whole log by pages, with the documents that their numbers stand for; each page but the last must bring something. */
async function scanned(session: Session, limit: number): Promise<readonly Resolved[]> {
  const found: Resolved[] = [];
  const documents = new Map<number, DocumentRef>();
  let after: number | undefined;
  do {
    const page = await session.scan({ after, limit, known: (document) => documents.has(document) });
    assert(page.events.length <= limit, 'a page holds more than its limit');
    assert(page.events.length > 0 || page.next === undefined, 'a page that is not the last is empty');
    for (const { document, collection, id } of page.named) {
      assert(!documents.has(document), `the document ${document} is named twice`);
      documents.set(document, { collection, id });
    }
    for (const { attachments, ...event } of page.events) {
      const resolved: DocumentVersion[] = [];
      for (let index = 0; index < attachments.length; index += 2) {
        const ref = documents.get(attachments[index]!);
        assert(ref, `the document ${attachments[index]} of the event at ${event.position} is not named`);
        resolved.push({ ...ref, version: attachments[index + 1]! });
      }
      found.push({ ...event, attachments: resolved });
    }
    after = page.next;
  } while (after !== undefined);
  return found;
}

const known = (): boolean => true;

async function twenty(log: TestLog): Promise<void> {
  for (const n of range(0, 4)) {
    const events = range(1, 4).map((m) => event('NOTED', user(`u${m % 2}`), service(`s${n}`)));
    await log.append(commit(`c${n}`, events, { time: n }));
  }
}

export const scanCases = [
  onLog(3, 'a scan holds what reading holds, event by event, whatever the limit', async (log) => {
    await twenty(log);
    const read = (await allEvents(log.session)).map(
      ({ type, schemaVersion, json, position, commit: { time }, attachments }) => ({
        type,
        schemaVersion,
        json,
        position,
        time,
        attachments,
      }),
    );
    same(read.length, 20);
    for (const limit of [1, 3, 19, 20, 21]) same(await scanned(log.session, limit), read, `limit ${limit}`);
    const page = await log.session.scan({ known, after: 18, limit: 10 });
    same([each(page.events, 'position'), page.next, page.end.hash], [[19, 20], undefined, log.end.hash]);
  }),

  onLog(3, 'a scan after the end, or of an empty log, is one empty page', async (log) => {
    const empty = await log.session.scan({ known, limit: 10 });
    same([empty.events, empty.next, empty.end.position], [[], undefined, 0]);
    await twenty(log);
    for (const after of [20, 1_000]) {
      const { events, next } = await log.session.scan({ known, after, limit: 10 });
      same([events, next], [[], undefined]);
    }
  }),

  onLog('contract', 'a page of a scan is bounded in rows and bytes, but always has an event', async (log) => {
    const many = PAGE_ROWS_MAX + 20;
    await log.append(
      commit(
        'many',
        range(1, many).map(() => event('NOTED', user('u1'))),
      ),
    );
    for (const limit of [0, -1]) same((await log.session.scan({ known, limit })).events, [], `limit ${limit}`);
    const full = await log.session.scan({ known, limit: many * 2 });
    same([full.events.length, full.next], [PAGE_ROWS_MAX, PAGE_ROWS_MAX]);
    const long = { ...event('NOTED', user('u1')), json: `"${'x'.repeat(PAGE_BYTES_MAX / 2)}"` };
    const huge = { ...long, json: `"${'x'.repeat(PAGE_BYTES_MAX)}"` };
    await log.append(commit('long', [long, long, huge, long]));
    const pages: number[][] = [];
    let after: number | undefined = many;
    while (after !== undefined) {
      const page = await log.session.scan({ known, after, limit: 100 });
      pages.push(page.events.map(({ position }) => position - many));
      after = page.next;
    }
    same(pages, [[1], [2], [3], [4]]);
  }),

  onLog(3, 'each event of a scan has its own text, whatever characters it is of', async (log) => {
    const texts = [
      '{}',
      '{"a":"é"}',
      '{"b":"😀 ist 𝄞"}',
      '"\n;,"',
      '{"c":"日本"}',
      '',
      '{"d":"plain"}',
      '{"e":"\u{10ffff}"}',
    ];
    const events = [...texts, ...texts.toReversed()].map((json) => Object.assign(event('NOTED', user('u1')), { json }));
    await log.append(commit('texts', events));
    for (const after of range(0, events.length)) {
      const page = await log.session.scan({ known, after, limit: 100 });
      same(each(page.events, 'json'), each(events.slice(after), 'json'));
    }
  }),

  onLog(2, 'a scan doesn’t see what an open exclusive section has appended', async (log) => {
    await twenty(log);
    const seen = await log.session.exclusive(async (locked) => {
      await locked.append(log.batch(commit('open', [event('NOTED', user('u1'))])));
      return (await log.session.scan({ known, after: 19, limit: 10 })).events.length;
    });
    same(seen, 1);
  }),
];
