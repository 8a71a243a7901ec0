/**
 * Servers under load, all behind one bad network: connections cut and turned away, answers late, lost, and held back until
 * nobody waits for them, requests that arrive after their senders have given up.
 *
 * TIDEMARK_TROUBLES sets how many of these there are (14).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../../support/postgres.ts';
import { Proxy } from '../../support/proxy.ts';
import { temporaryFolder } from '../../support/stores.ts';
import { seeded, type Random } from '../../support/seed.ts';
import { setting } from '../../support/setting.ts';
import { endServers } from '../server-process.ts';
import { UnderLoad } from './under-load.ts';

const TROUBLES = setting('TIDEMARK_TROUBLES', 14);
const TIMEOUT_MS = 120_000 + TROUBLES * 10_000;
const WAIT_MS = 500;
/** Longer than anybody waits for the lock and for an answer. */
const TOO_LONG_MS = 2 * WAIT_MS + 100;
const MOMENT_MS = 50;

const database = testDatabase();
const folder = temporaryFolder();
let proxy: Proxy;
beforeEach(async () => void (proxy = await Proxy.to(Number(new URL(database.url).port))));
afterEach(async () => {
  await endServers();
  await proxy.close();
});

function never(): boolean {
  return false;
}

const isWrite = (bytes: Buffer): boolean => bytes.includes('append_v1') || bytes.includes('COMMIT\0');

const TROUBLE: Readonly<Record<string, () => Promise<void>>> = {
  async cut() {
    proxy.cut();
  },
  async refused() {
    proxy.refuses = true;
    proxy.cut();
    await sleep(TOO_LONG_MS);
    proxy.refuses = false;
  },
  async late() {
    proxy.delayMs = WAIT_MS / 10;
    await sleep(WAIT_MS);
    proxy.delayMs = 0;
    // What was late is overtaken by what isn't: a stream can't do that.
    proxy.cut();
  },
  async lost() {
    proxy.swallow = () => true;
    await sleep(TOO_LONG_MS);
    proxy.swallow = never;
    proxy.cut();
  },
  async answersCut() {
    proxy.swallow = () => true;
    await sleep(MOMENT_MS);
    proxy.cut();
    proxy.swallow = never;
  },
  async answersHeld() {
    proxy.holdAnswer = () => true;
    await sleep(TOO_LONG_MS);
    proxy.holdAnswer = never;
    proxy.release();
  },
  async requestsHeld() {
    const held = Promise.withResolvers<void>();
    proxy.hold = (bytes) => {
      if (isWrite(bytes)) held.resolve();
      return isWrite(bytes);
    };
    await Promise.race([held.promise, sleep(TOO_LONG_MS)]);
    await sleep(MOMENT_MS);
    const again = Promise.withResolvers<void>();
    proxy.hold = (bytes) => {
      if (isWrite(bytes)) again.resolve();
      return false;
    };
    proxy.cut();
    // They arrive when the same commands were sent again, by other connections, however slow the machine is.
    await Promise.race([again.promise, sleep(2 * TOO_LONG_MS)]);
    await sleep(MOMENT_MS);
    proxy.hold = never;
    proxy.release();
  },
};

async function troubled(load: UnderLoad, random: Random): Promise<void> {
  const kinds = Object.values(TROUBLE);
  for (let times = 0; times < TROUBLES; times += 1) {
    await load.more('acknowledged', 2);
    await sleep(random() * MOMENT_MS);
    // Each in its turn, in an order of chance.
    const left = kinds.length - (times % kinds.length);
    const next = Math.floor(random() * left);
    [kinds[next], kinds[left - 1]] = [kinds[left - 1]!, kinds[next]!];
    await kinds[left - 1]!();
  }
}

function through(schema: string): { url: string; schema: string; through: string } {
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  return { url: database.url, schema, through: url.href };
}

test(
  'laws 1, 2, 3, 5, 7, lessons 10, 23: whatever the network does, each command is stored once, and no reader misses an event',
  async () => {
    const random = seeded();
    const load = await UnderLoad.on(through('network'), random, { waitMs: WAIT_MS });
    await troubled(load, random);
    const met = await load.endsSound(folder, 'network');
    expect(met.followed).toBe(met.events * load.servers.length);
    expect(met.away).toBeGreaterThan(0);
    // Of the writes without an answer some were stored, and some were not.
    expect(met.found).toBeGreaterThan(0);
    expect(met.doubts).toBeGreaterThan(met.found);
  },
  TIMEOUT_MS,
);

test(
  'lesson 10, control: servers that send what got no answer as something new are caught',
  async () => {
    const random = seeded();
    const load = await UnderLoad.on(through('careless'), random, { waitMs: WAIT_MS, careless: true });
    await load.more('acknowledged', 5);
    for (let times = 0; times < 8; times += 1) {
      await TROUBLE['answersCut']!();
      await load.more('acknowledged', 2);
    }
    expect((await load.ended(folder)).faults.join('\n')).toMatch(/was carried out \d+ times/);
  },
  TIMEOUT_MS,
);
