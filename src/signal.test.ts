import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { listen } from './signal.ts';

test('all who listen to a signal share one listener at it, and each is told once, unless it has ended that', () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: string[] = [];
  const same = (): void => void told.push('same');
  const ends = [listen(signal, same), listen(signal, same), listen(signal, () => void told.push('other'))];
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  ends[0]!();
  ends[0]!();
  const last = listen(signal, () => {
    told.push('last');
    ends[2]!();
    last();
  });
  controller.abort();
  expect(told).toEqual(['same', 'other', 'last']);
  for (const end of ends) end();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('whoever listens after all have gone is told, and nobody of before is', () => {
  const controller = new AbortController();
  const { signal } = controller;
  // As of a polyfill that removes nothing.
  signal.removeEventListener = () => {
    throw new Error('not here');
  };
  const told: string[] = [];
  listen(signal, () => void told.push('before'))();
  listen(signal, () => void told.push('after'));
  controller.abort();
  expect(told).toEqual(['after']);
});

test('a signal that has aborted already tells in a moment, and only once', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: unknown[] = [];
  const tell = (reason: unknown): void => void told.push(reason);
  controller.abort('enough');
  const end = listen(signal, tell);
  listen(signal, tell)();
  expect(told).toEqual([]);
  await Promise.resolve();
  expect(told).toEqual(['enough']);
  end();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('who listens while the signal aborts is told once', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: string[] = [];
  const ends = [
    listen(signal, () => {
      ends.push(listen(signal, () => void told.push('second')));
      told.push('first');
    }),
  ];
  controller.abort();
  await Promise.resolve();
  expect(told).toEqual(['first', 'second']);
  for (const end of ends) end();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
