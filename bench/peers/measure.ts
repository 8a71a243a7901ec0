/** Puts every case to every system, in turns, so that the machine's moods fall on all of them alike. */
import { CASES, NotMeasured, nameOfCase, type Contestant, type Run, type Sizes } from './contestant.ts';
import type { Cluster } from './postgres.ts';
import { result, type Result } from './results.ts';
import { TIDEMARK } from './systems.ts';

interface Measured {
  readonly results: readonly Result[];
  readonly systems: readonly { name: string; database: string; versions: string; setup: string }[];
  readonly notMeasured: readonly { name: string; database: string; why: string }[];
}

export async function measure(chosen: readonly Contestant[], sizes: Sizes, cluster: Cluster): Promise<Measured> {
  const notMeasured: { name: string; database: string; why: string }[] = [];
  const ready = new Set<Contestant>();
  const runs = new Map<Contestant, Map<string, Run[]>>();
  const out = async (one: Contestant, error: unknown): Promise<void> => {
    if (!(error instanceof NotMeasured)) throw error;
    ready.delete(one);
    notMeasured.push({ name: one.name, database: one.database, why: error.message });
    await one.close();
  };
  try {
    for (const one of chosen) {
      console.error(`preparing ${one.name} (${one.database}) …`);
      ready.add(one);
      runs.set(one, new Map(CASES.map((asked) => [nameOfCase(asked), []])));
      await one.prepare().catch((error: unknown) => out(one, error));
    }
    for (let round = 0; round < sizes.rounds; round += 1) {
      for (const [index, asked] of CASES.entries()) {
        console.error(`round ${round + 1} of ${sizes.rounds}: ${nameOfCase(asked)} callers …`);
        let group: number | undefined;
        for (const one of ready) {
          if (!one.takes(asked)) continue;
          await cluster.checkpoint();
          try {
            const run = await one.measure({ ...asked, turn: round * CASES.length + index, group });
            if (one.name === TIDEMARK && one.database === 'PostgreSQL') group = run.group;
            runs.get(one)!.get(nameOfCase(asked))!.push(run);
          } catch (error) {
            await out(one, error);
          }
        }
      }
    }
    return {
      results: chosen.flatMap((one) =>
        CASES.flatMap((asked) => {
          const made = runs.get(one)?.get(nameOfCase(asked)) ?? [];
          return made.length === 0 ? [] : [result(one.name, one.database, asked, made)];
        }),
      ),
      systems: chosen.flatMap((one) => {
        const { name, database } = one;
        return ready.has(one) ? [{ name, database, ...one.about() }] : [];
      }),
      notMeasured,
    };
  } finally {
    for (const one of ready) await one.close();
  }
}
