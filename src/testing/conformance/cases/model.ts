/**
 * Random batches from two servers, compared with the model after each.
 */
import assert from 'node:assert/strict';
import { LOAD_EVENTS_MAX } from '../../../store/store.ts';
import type { Appended, Batch, DocumentRef, Judge, Session } from '../../../store/store.ts';
import {
  above,
  at,
  commit,
  event,
  handling,
  kindsOf,
  order,
  range,
  service,
  START,
  user,
  type PartKind,
} from '../batches.ts';
import { onClockedLog } from '../case.ts';
import type { TestClock } from '../case.ts';
import { everything } from '../log.ts';
import type { TestLog } from '../log.ts';
import { Model } from '../model.ts';
import { same } from '../plain.ts';
import { repeatably, type Chance } from '../random.ts';
import { register, registering, type CollectionEntry } from '../registered.ts';

const STEPS = 120;
const TYPES = ['CREATED', 'BOUGHT', 'REGISTERED', 'NOTED'];
/** Types that appear one by one: some are to be registered before their first event is stored, and some after it. */
const LATER = range(0, STEPS).map((n) => `LATER_${n}`);
const DOCUMENTS = [user('a'), user('A'), user('\uFFFD'), user('\u{1F30A}'), service('a'), service('s'), order('o')];
// Two releases of the application, deployed side by side.
const RELEASES = [
  handling({ users: ['REGISTERED'], services: ['CREATED', 'BOUGHT'] }),
  handling({ users: ['REGISTERED', 'BOUGHT'], services: ['CREATED', 'BOUGHT', 'NOTED'], orders: [] }),
];

export const modelCases = [
  onClockedLog(4, 'random batches from two servers give what the model gives', (log, clock) =>
    repeatably((chance) => randomBatches(log, clock, chance)),
  ),
];

const messageOf = (error: unknown): unknown => (Error.isError(error) ? error.message : error);

async function randomBatches(log: TestLog, clock: TestClock, chance: Chance): Promise<void> {
  const sessions = await log.sessions(2);
  const model = new Model(await register(log.session, [MAPPED]));
  const answers = new Map<
    Appended['status'] | PartKind | 'raised' | 'kept' | 'refused to change' | 'as it was',
    number
  >();
  const meets = (kind: Parameters<typeof answers.get>[0]): void => void answers.set(kind, (answers.get(kind) ?? 0) + 1);
  for (let step = 0; step < STEPS; step++) {
    const session = chance.pick(sessions);
    if (step % 4 === 3) {
      const judge = randomJudge(model, chance, step);
      const { registry } = model;
      const answer = await session.change(judge).catch(messageOf);
      const expected = await new Promise((resolve) => resolve(model.change(judge))).catch(messageOf);
      same(answer, expected, `step ${step}`);
      if (typeof expected === 'string') meets('refused to change');
      else if (model.registry === registry) meets('as it was');
      else meets(model.registry.generation > registry.generation ? 'raised' : 'kept');
    }
    const batch = randomBatch(model, chance, step);
    // Behind the decisions, ahead of them, and set back.
    clock.now = START + step * 10 + chance.below(80) - 20;
    const expected = model.append(batch, clock.now);
    same(inOrder(await session.append(batch)), inOrder(expected), `step ${step}, batch ${JSON.stringify(batch)}`);
    meets(expected.status);
    for (const kind of kindsOf(batch, expected)) meets(kind);
    await compareReads(session, model, chance, step);
  }
  for (const session of sessions) {
    const { registry, events, commits, types, documents } = await everything(session);
    same(
      { registry, events, commits, types, documents },
      {
        registry: model.registry,
        events: model.events,
        commits: model.commits,
        types: model.types(),
        documents: model.documents(),
      },
    );
  }
  const batches = ['stored', 'refused', 'diverged', 'behind'] as const;
  for (const status of [
    ...batches,
    'in part',
    'by taint alone',
    'raised',
    'kept',
    'refused to change',
    'as it was',
  ] as const) {
    assert((answers.get(status) ?? 0) > 0, `nothing was answered with ${status}: the case shows too little`);
  }
}

const key = ({ collection, id }: DocumentRef): string => `${collection} ${id}`;

/** The contract gives no order for stale documents and duplicates. */
function inOrder(answer: Appended): Appended {
  if (answer.status !== 'stored' && answer.status !== 'refused') return answer;
  const stale = [...answer.stale].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return { ...answer, stale, duplicates: [...answer.duplicates].sort() };
}

const MAPPED: CollectionEntry = { name: 'mapped', definition: 1, key: { types: { CREATED: ['id'] } }, handled: [] };

/** Changes as the engine and as nobody would make them: one judges by the log, the others by the registry. */
function randomJudge(model: Model, chance: Chance, step: number): Judge {
  const { definitions, keyings } = model.registry;
  const [one, other] = [chance.pick(definitions), chance.pick(keyings)];
  const type = step % 32 === 3 ? LATER[step]! : chance.pick(model.types()).type;
  if (step % 16 === 7) {
    const used = { ...one, usedAt: START + step };
    return ({ last }) => ({ raises: false, last, definitions: [used] });
  }
  if (step % 16 === 11) return () => undefined;
  if (step % 16 === 15)
    return ({ last }) => ({
      raises: true,
      last: last + 3,
      definitions: [{ ...one, id: last + 1, definition: one.definition + 1, set: last + 2, keying: other.name }],
      indexes: [{ number: last + 3, set: last + 2, fields: ['price'], state: 'live', usedAt: START }],
      removed: definitions.length > 6 ? [one.id] : [],
    });
  return (registry, facts) => {
    const position = facts.firstOf(type);
    if (position !== undefined) throw new Error(`${type} is held at ${position}`);
    return registering([{ ...MAPPED, handled: [type], key: { types: { [type]: ['id'] } } }])(registry, facts);
  };
}

function randomBatch(model: Model, chance: Chance, step: number): Batch {
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
  const ids = range(0, chance.below(4)).map((n) =>
    chance.once(20) ? `c${chance.below(step + 1)}-${n}` : `c${step}-${n}`,
  );
  const commits = ids.map((id) => {
    const outcome = chance.once(3) ? 'failed' : 'succeeded';
    const events = range(0, chance.below(2)).map(() => ({
      type: chance.once(8) ? chance.pick(LATER.slice(0, step + 4)) : chance.pick(TYPES),
      schemaVersion: chance.below(3),
      json: JSON.stringify({ n: chance.below(1000) }),
      attachments: chance.some(DOCUMENTS),
    }));
    const facts = {
      outcome,
      final: outcome === 'succeeded' || chance.once(2),
      time: START + step * 10 + chance.below(40),
      reads: chance.once(3) ? [] : range(0, reads.length - 1).filter(() => chance.once(3)),
    } as const;
    return commit(id, events, chance.once(2) ? facts : { ...facts, actor: 'ann', reason: 'R', details: '{}' });
  });
  const batch = {
    seen: { position: seen.position, hash: seen.hash },
    generation: model.registry.generation + (step % 30 === 28 ? 1 : 0),
    handled: chance.pick(RELEASES),
    reads,
    commits,
  };
  return step % 5 === 2 ? taintedBatch(model, batch, step % 10 === 2) : batch;
}

/**
 * The same behind a command that was executed before, and before one that builds on what it would have done; or these two
 * alone.
 */
function taintedBatch(model: Model, batch: Batch, alone: boolean): Batch {
  const before = model.commits.find(({ final }) => final)?.command.id;
  if (before === undefined) return batch;
  const made = service('new');
  const reads = [...batch.reads, at(made, model.of(made).length)];
  const rows = [reads.length - 1];
  const again = commit(before, event('CREATED', made), { reads: [] });
  const built = commit(`${before} again ${model.commits.length}`, event('NOTED', user('a')), { reads: rows });
  const others = alone ? [] : batch.commits.filter(({ command }) => command.id !== before);
  return { ...batch, reads, commits: [again, ...others, built] };
}

async function compareReads(session: Session, model: Model, chance: Chance, step: number): Promise<void> {
  const message = `after step ${step}`;
  const { end } = model;
  const asOf = chance.once(2) ? chance.below(end.position + 2) : undefined;
  const requests = chance
    .some(DOCUMENTS)
    .map((ref) => above(ref, chance.below(5), chance.pick([undefined, chance.below(9)])));
  let room = LOAD_EVENTS_MAX;
  const documents = requests.map((request) => {
    const { after, upTo = Infinity } = request;
    const all = model.of(request, asOf);
    const events = all.filter(({ version }) => version > after && version <= upTo).slice(0, room);
    room -= events.length;
    return { head: all.length, events };
  });
  const known = chance.pick([end, ...model.ends]);
  const seen = chance.once(4) ? { position: known.position + 1, hash: known.hash } : known;
  const loaded = await session.load(requests, { asOf, seen });
  const bare = loaded.documents.map(({ head, events }) => ({ head, events }));
  const { generation } = model.registry;
  same({ ...loaded, documents: bare }, { end, holds: seen === known, generation, documents }, message);

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
