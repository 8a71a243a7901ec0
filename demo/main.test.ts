/** The program from outside, once: the race on one file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test/support/stores.ts';
import { strokesIn } from './sample.ts';
import { figures, marketplace } from './start.ts';

const directory = temporaryFolder();
const SERVERS = ['Paris', 'Tokyo'];

describe('a run', () => {
  it('lets two processes race for places on one file, and ends with one line of JSON', async () => {
    const file = join(directory, 'race.db');
    const drawn = join(directory, 'race.svg');
    const args = ['--rounds', '40', '--store', `sqlite:${file}`, '--seed', '11', '--json', '--svg', drawn];
    const ended = await marketplace(args);
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stdout.trimEnd().split('\n')).toHaveLength(1);
    const found = figures(ended);
    expect(found).toMatchObject({ ok: true, seed: 11, rounds: 40, servers: 2, sold: 40, oversold: 0 });
    expect(found).toMatchObject({ rebuilt: true, stored: true, chain: true, store: `sqlite:${file}` });
    expect(found.conflicts).toBeGreaterThan(0);
    expect(found.resent).toBeGreaterThan(0);
    expect(found.overlapping).toBeGreaterThan(0);
    expect(found.commandsPerSecond).toBeGreaterThan(0);
    // Everything is sold; it was seen on sale before.
    expect(found.window).toMatchObject({ onSale: 0, cheapest: [] });
    expect(found.window.pages).toBeGreaterThan(1);
    const soldOut = Object.values(found.window.bySeller).map((seller) => seller.soldOut);
    expect(soldOut.reduce((one, other) => one + other)).toBe(40);
    expect(Object.keys(found.winsByServer)).toEqual(SERVERS);
    expect(Object.values(found.winsByServer).reduce((one, other) => one + other)).toBe(40);
    expect(found.refusedByReason).toMatchObject({ SOLD_OUT: 40 * 15, UNKNOWN_SERVICE: 10, UNKNOWN_BUYER: 10 });
    // Everybody's registration, each round's service, and what was sold or refused: no command without an event.
    expect(found.events).toBe(found.commands);
    expect(found.commands).toBe(10 + 2 * 16 + 40 + found.sold + found.refused);
    const [paris = [], tokyo = []] = strokesIn(readFileSync(drawn, 'utf8'));
    expect({ Paris: paris.length, Tokyo: tokyo.length }).toEqual(found.winsByServer);
  });
});
