/** What the seed decides, and what the name of the run does. */
import { describe, expect, it } from 'vitest';
import { Plan } from './plan.ts';

/** Everything that is asked in a run, in order. */
function asked(seed: number, run: string): string {
  const plan = new Plan({ rounds: 24, buyers: 4, places: 1, servers: 3, seed, run });
  return JSON.stringify([plan.registrations(), ...plan.rounds(), plan.documents]);
}

const ids = (text: string): Set<string> => new Set(text.match(/"[^"]+\.(command|service|seller|buyer)\d+"/g));

describe('a plan', () => {
  it('is the same for the same seed, but for the name of the run', () => {
    expect(asked(7, 'one').replaceAll('"one.', '"another.')).toBe(asked(7, 'another'));
    expect(asked(7, 'one')).not.toBe(asked(8, 'one'));
  });

  it('has no id in common with one of the same seed in another run', () => {
    expect(ids(asked(7, 'one')).size).toBeGreaterThan(300);
    expect(ids(asked(7, 'one')).isDisjointFrom(ids(asked(7, 'another')))).toBe(true);
  });

  it('lets each server begin as often with the service in all caches as with none', () => {
    const plan = new Plan({ rounds: 24, buyers: 1, places: 1, servers: 3, seed: 1, run: 'one' });
    const turns = [...plan.rounds()].map(({ first, looked }) => `${first} ${looked}`);
    for (const turn of new Set(turns)) expect(turns.filter((other) => other === turn)).toHaveLength(4);
    expect(new Set(turns).size).toBe(6);
  });
});
