/**
 * Strings are kept byte for byte, compared byte by byte, and never read.
 */
import { Buffer } from 'node:buffer';
import assert from 'node:assert/strict';
import { above, at, commit, event, range, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { allEvents } from '../log.ts';
import { each, same } from '../plain.ts';

/** Ids that some database or other takes for the same, or trips over. */
const IDS = [
  ['case', ['Ann', 'ann', 'ANN', 'ß', 'ẞ', 'SS', 'ss', 'i', 'I', 'ı', 'İ', 'σ', 'ς']],
  [
    'normalisation form',
    ['caf\u00E9', 'cafe\u0301', '\uFB01', 'fi', '\u212B', '\u00C5', 'A\u030A', '\uAC00', '\u1100\u1161'],
  ],
  ['spaces', ['a', 'a ', ' a', 'a  ', 'a\t', 'a\n', 'a\r\n', 'a\u00A0', ' ', '  ', '\u200B', '\uFEFF', '\uFEFFa']],
  [
    'quotes, wildcards and escapes',
    [
      "'",
      "''",
      '"',
      '""',
      '`',
      '%',
      '_',
      'a%',
      'a_',
      '\\',
      '\\\\',
      '\\n',
      '$1',
      '?',
      ':id',
      '{}',
      '[1]',
      "'; DROP TABLE events; --",
    ],
  ],
  [
    'numbers and names',
    [
      '1',
      '01',
      '1.0',
      '1e0',
      '+1',
      '-0',
      '0',
      'null',
      'NULL',
      'undefined',
      'true',
      'NaN',
      '__proto__',
      'constructor',
      'toString',
    ],
  ],
  [
    'control characters',
    ['\u0001', '\u0007', '\u001F', '\u007F', '\u0085', '\u2028', '\u2029', 'a\u0001', '\uFFFE', '\uFFFF'],
  ],
  ['emoji', ['👩', '👩‍👩‍👧', '👩🏽', '🏳️‍🌈', '🌊', '\u{10000}', '\u{10FFFF}', '\uFFFD', '\uFFFD\uFFFD']],
  [
    'length',
    [
      'x',
      'x'.repeat(511),
      'x'.repeat(512),
      `${'x'.repeat(511)}y`,
      'é'.repeat(256),
      '🌊'.repeat(128),
      `${'🌊'.repeat(127)}😀`,
    ],
  ],
] as const;

const apart = IDS.map(([difference, ids]) =>
  onLog(4, `ids that differ by ${difference} are different documents and different commands`, async (log) => {
    assert(ids.every((id) => id.isWellFormed() && Buffer.byteLength(id) <= 512));
    // Every id once as a document and as a command id, then again as a document, so that each has a head of its own.
    await log.append(
      ids.map((id) => commit(id, event('NOTED', user(id)), { actor: id, correlation: id, causation: id })),
    );
    const again = ids.flatMap((id, n) => range(1, n).map(() => event('BOUGHT', user(id))));
    await log.append(commit('again', again.length > 0 ? again : event('NOTED')));
    const { documents } = await log.session.load(ids.map((id) => above(user(id), 0)));
    same(
      documents.map(({ head, events }) => [head, events.length]),
      ids.map((_, n) => [n + 1, n + 1]),
    );
    const listed = await log.session.documents({ limit: 100 });
    same(new Map(listed.map(({ id, head }) => [id, head])), new Map(ids.map((id, n) => [id, n + 1])));
    const entries = await log.session.ledger(ids);
    same(entries.map(({ command }) => command.id).sort(), [...ids].sort());
    for (const { command } of entries)
      same([command.actor, command.correlation, command.causation], [command.id, command.id, command.id]);
    for (const [n, id] of ids.entries()) {
      const { events } = await log.session.read({ document: user(id), after: 0, limit: 100 });
      same([events.length, events[0]?.attachments], [n + 1, [at(user(id), 1)]]);
      // The first has no handled event, so only its command id stands in the way.
      const { duplicates, stale } = await log.refuse(commit(id, event('NOTED')), { reads: [at(user(id), 0)] });
      same([duplicates, stale.map((document) => [document.id, document.head])], [[id], n > 0 ? [[id, n + 1]] : []]);
    }
  }),
);

/** Texts as they may stand in an event: made by any JSON writer, or encrypted and no JSON at all. */
const TEXTS = [
  '{}',
  '',
  ' { "a" : 1.0 , "a" : 2 } ',
  '{"b":1,"a":1e3,"c":1E400,"d":-0,"e":123456789012345678901234567890}',
  '{"escaped":"\\u00e9\\/\\u2028","raw":"é/\u2028"}',
  'not JSON at all',
  'v1.gcm.4d7a:Zm9v/YmFy+A==',
  '"',
  '\\',
  '\n\t{"a"\r\n:null}\n',
  '\uFEFF{}',
  '{"e\u0301":"\u00E9","\u{1F30A}":"\u{10FFFF}"}',
  '\u0001\u001F\u007F\uFFFF',
  '   ',
] as const;

export const stringsCases = [
  ...apart,

  onLog(9, 'the text of an event and of details is kept byte for byte, JSON or not', async (log) => {
    await log.append(
      TEXTS.map((json, n) =>
        commit(
          `c${n}`,
          { type: 'NOTED', schemaVersion: 1, json, attachments: [user('u1')] },
          {
            outcome: 'failed',
            details: json,
            reason: json,
          },
        ),
      ),
    );
    const events = await allEvents(log.session);
    same(each(events, 'json'), TEXTS);
    same(
      events.map(({ commit }) => commit.details),
      TEXTS,
    );
    same(each(await log.session.commits({ limit: 100 }), 'reason'), TEXTS);
    const { documents } = await log.session.load([above(user('u1'), 0)]);
    same(
      documents[0]?.events.map(({ json }) => json),
      TEXTS,
    );
    const { events: ofDocument } = await log.session.read({ document: user('u1'), after: 0, limit: 100 });
    same(each(ofDocument, 'json'), TEXTS);
  }),

  onLog(9, 'a text of 1 MiB is kept', async (log) => {
    const large = ['x'.repeat(2 ** 20), '🌊'.repeat(2 ** 18), '\\"'.repeat(2 ** 19)];
    const events = large.map((json) => ({ type: 'NOTED', schemaVersion: 1, json, attachments: [user('u1')] }));
    await log.append([commit('c1', events), commit('c2', event('NOTED'), { outcome: 'failed', details: large[1]! })]);
    const { events: stored } = await log.session.read({ limit: 10 });
    // Compared as booleans: the difference of two such texts takes minutes to show.
    same(
      stored.map(({ json }, n) => json === (large[n] ?? '{}')),
      [true, true, true, true],
    );
    same(stored[3]?.commit.details === large[1], true);
    const { documents } = await log.session.load([above(user('u1'), 0)]);
    same(
      documents[0]?.events.map(({ json }, n) => json === large[n]),
      [true, true, true],
    );
  }),

  onLog(5, 'event types are compared byte by byte', async (log) => {
    const types = ['Noted', 'noted', 'NOTED ', 'É', 'E\u0301', "it's", '%', '$SYSTEM', '🌊'];
    await log.append(
      commit(
        'c1',
        types.map((type) => event(type, user('u1'))),
      ),
    );
    for (const [n, type] of types.entries()) {
      same(
        (await allEvents(log.session, { types: [type] })).map((found) => found.type),
        [type],
      );
      const handled = new Map([['users', new Set([type])]]);
      // Stale just below the one event of this type, and not stale at it.
      same(
        (await log.refuse(commit(`r${n}`, event('OTHER')), { reads: [at(user('u1'), n)], handled })).stale.length,
        1,
      );
      await log.append(commit(`s${n}`, event('OTHER')), { reads: [at(user('u1'), n + 1)], handled });
    }
  }),
];
