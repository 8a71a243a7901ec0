/** That the race is fair: when it begins, all servers know as much of the service as each other. */
import { expect, it } from 'vitest';
import { Plan, type Request } from './plan.ts';
import { race } from './race.ts';
import type { Server } from './server.ts';

/** Who has come across which service, by the time of each starting signal. */
class Watched {
  readonly known = new Map<string, Set<string>>();
  /** Of each round's race: which service, how many knew it, and how many were ready, when the first one began. */
  readonly starts: { readonly service: string; readonly knew: number; readonly ready: number }[] = [];
  #ready = 0;

  server(name: string): Server {
    let held: readonly Request[] = [];
    const learn = (service: string): unknown =>
      this.known.set(service, (this.known.get(service) ?? new Set()).add(name));
    return {
      name,
      ready: async (requests) => {
        await new Promise((resolve) => setTimeout(resolve, name === 'Tokyo' ? 2 : 0));
        held = requests;
        this.#ready += 1;
      },
      go: async () => {
        const services = held.flatMap(({ input }) => ('service_id' in input ? [input.service_id] : []));
        const service = services.find((id) => /service\d+$/.test(id));
        if (service !== undefined && name !== 'desk' && !this.starts.some((start) => start.service === service)) {
          this.starts.push({ service, knew: this.known.get(service)?.size ?? 0, ready: this.#ready });
        }
        this.#ready -= 1;
        if (name !== 'desk') services.forEach(learn);
        return { answers: [], conflicts: 0, from: 0, to: 1 };
      },
      digests: async ({ services }) => (services.forEach(learn), []),
      report: async () => ({ latency: { p50: 0, p99: 0 } }),
      close: async () => undefined,
    };
  }
}

it('begins when everybody is ready, with the service known to all servers or to none, by turns', async () => {
  const watched = new Watched();
  const plan = new Plan({ rounds: 12, buyers: 2, places: 1, servers: 3, seed: 1, run: 'one' });
  const servers = ['Paris', 'Tokyo', 'Lagos'].map((name) => watched.server(name));
  await race(servers, watched.server('desk'), plan, new AbortController().signal, () => undefined);
  expect(watched.starts.map(({ service }) => service)).toEqual(plan.documents.services);
  expect(watched.starts.map(({ knew }) => knew)).toEqual([0, 0, 0, 3, 3, 3, 0, 0, 0, 3, 3, 3]);
  expect(watched.starts.map(({ ready }) => ready)).toEqual(Array(12).fill(3));
});
