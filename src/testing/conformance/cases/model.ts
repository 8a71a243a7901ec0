/**
 * Random batches from two servers, compared with the model after each.
 */
import assert from 'node:assert/strict';
import type { Appended, Batch, DocumentRef, Session } from '../../../store/store.ts';
import { above, at, commit, handling, order, range, service, START, user } from '../batches.ts';
import { onLog } from '../case.ts';
import { everything } from '../log.ts';
import type { TestLog } from '../log.ts';
import { Model } from '../model.ts';
import { same } from '../plain.ts';
import { Chance } from '../random.ts';

const STEPS = 120;
const TYPES = ['CREATED', 'BOUGHT', 'REGISTERED', 'NOTED'];
const DOCUMENTS = [user('a'), user('A'), user('\uFFFD'), user('\u{1F30A}'), service('a'), service('s'), order('o')];
// Two releases of the application, deployed side by side.
const RELEASES = [
  handling({ users: ['REGISTERED'], services: ['CREATED', 'BOUGHT'] }),
  handling({ users: ['REGISTERED', 'BOUGHT'], services: ['CREATED', 'BOUGHT', 'NOTED'], orders: [] }),
];

export const modelCases = [
  onLog(4, 'random batches from two servers give what the model gives', async (log) => {
    const chance = Chance.fromEnvironment();
    try {
      await randomBatches(log, chance);
    } catch (error) {
      const message = `TIDEMARK_SEED=${chance.seed} repeats this: ${Error.isError(error) ? error.message : String(error)}`;
      throw new assert.AssertionError({
        message,
        ...(Error.isError(error) && error.name === 'AssertionError' && error),
      });
    }
  }),
];

async function randomBatches(log: TestLog, chance: Chance): Promise<void> {
  const sessions = await log.sessions(2);
  const model = new Model(log.generation);
  const answers = new Map<Appended['status'], number>();
  for (let step = 0; step < STEPS; step++) {
    const session = chance.pick(sessions);
    const batch = randomBatch(model, chance, log.generation, step);
    const expected = model.append(batch);
    same(inOrder(await session.append(batch)), inOrder(expected), `step ${step}, batch ${JSON.stringify(batch)}`);
    answers.set(expected.status, (answers.get(expected.status) ?? 0) + 1);
    await compareReads(session, model, chance, step);
  }
  for (const session of sessions) {
    const { events, commits, documents } = await everything(session);
    same(
      { events, commits, documents },
      { events: model.events, commits: model.commits, documents: model.documents() },
    );
  }
  for (const status of ['stored', 'refused', 'diverged', 'behind'] as const) {
    assert((answers.get(status) ?? 0) > 0, `no batch was answered with ${status}: the case shows too little`);
  }
}

const key = ({ collection, id }: DocumentRef): string => `${collection} ${id}`;

/** Neither stale documents nor duplicates are answered in an order that the contract gives. */
function inOrder(answer: Appended): Appended {
  if (answer.status !== 'refused') return answer;
  const stale = [...answer.stale].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return { ...answer, stale, duplicates: [...answer.duplicates].sort() };
}

function randomBatch(model: Model, chance: Chance, generation: number, step: number): Batch {
  const newest = model.end;
  // By the step, not by chance: every run must come to each of the answers.
  const lost = step % 12 === 11;
  const seen = lost
    ? { ...newest, position: newest.position + chance.pick([-1, 1]) }
    : chance.pick([newest, ...model.ends]);
  const reads = chance.once(3)
    ? []
    : chance.some(DOCUMENTS).map((ref) => {
        const head = model.of(ref).length;
        return at(ref, Math.max(0, head - (chance.once(3) ? chance.below(4) : 0)));
      });
  // Now and then an id is sent again.
  const ids = range(0, chance.below(3)).map((n) =>
    chance.once(20) ? `c${chance.below(step + 1)}-${n}` : `c${step}-${n}`,
  );
  const commits = ids.map((id) => {
    const outcome = chance.once(3) ? 'failed' : 'succeeded';
    const events = range(0, chance.below(3)).map(() => ({
      type: chance.pick(TYPES),
      schemaVersion: 1 + chance.below(2),
      json: JSON.stringify({ n: chance.below(1000) }),
      attachments: chance.some(DOCUMENTS),
    }));
    const facts = {
      outcome,
      final: outcome === 'succeeded' || chance.once(2),
      time: START + step * 10 + chance.below(40),
    } as const;
    return commit(id, events, chance.once(2) ? facts : { ...facts, actor: 'ann', reason: 'R', details: '{}' });
  });
  return {
    seen: { position: seen.position, hash: seen.hash },
    generation: step % 30 === 28 ? generation + 1 : generation,
    handled: chance.pick(RELEASES),
    reads,
    commits,
  };
}

async function compareReads(session: Session, model: Model, chance: Chance, step: number): Promise<void> {
  const message = `after step ${step}`;
  const { end } = model;
  const asOf = chance.once(2) ? chance.below(end.position + 2) : undefined;
  const requests = chance
    .some(DOCUMENTS)
    .map((ref) => above(ref, chance.below(5), chance.pick([undefined, chance.below(9)])));
  const documents = requests.map((request) => {
    const { after, upTo = Infinity } = request;
    const events = model.of(request, asOf);
    return { head: events.length, events: events.filter(({ version }) => version > after && version <= upTo) };
  });
  same(await session.load(requests, { asOf }), { end, documents }, message);

  const after = chance.below(end.position + 2);
  const limit = 1 + chance.below(20);
  const types = chance.once(2) ? chance.some(TYPES) : undefined;
  const page = await session.read({ after, types, limit });
  const wanted = model.events.filter(({ position, type }) => position > after && types?.includes(type) !== false);
  // A page may end early where types are filtered, so long as it says where to go on.
  const upTo = page.events.length < limit ? (page.next ?? Infinity) : Infinity;
  same([page.end, page.events], [end, wanted.filter(({ position }) => position <= upTo).slice(0, limit)], message);

  const recordedBy = chance.pick([undefined, START + chance.below((step + 1) * 12)]);
  const commits = model.commits.filter(
    ({ position, recordedAt }) => position > after && recordedAt <= (recordedBy ?? Infinity),
  );
  same(await session.commits({ after, recordedBy, limit }), commits.slice(0, limit), message);
  same(await session.commits({ after, recordedBy, reverse: true, limit }), commits.reverse().slice(0, limit), message);

  const ids = chance.some(model.commits.slice(-6)).map(({ command }) => command.id);
  const entries = await session.ledger([...new Set(ids), 'unknown']);
  same(
    [...entries].sort((a, b) => a.position - b.position),
    model.ledger(ids),
    message,
  );
}
