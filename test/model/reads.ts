/** Reads what a plan asks for, and writes down what was told. */
import type { App, RecordedEvent } from 'tidemark';
import type { Release } from '../../simulation/domain/build.ts';
import type { DomainShape } from '../../simulation/domain/shape.ts';
import { spoil } from '../../simulation/spoil.ts';
import { findOptions } from '../../simulation/laws/finds.ts';
import type { At, Reading } from '../../simulation/laws/records.ts';
import type { Live } from '../../simulation/laws/attach.ts';
import type { Timeline } from '../../simulation/laws/timeline.ts';
import type { PastPlan, Step } from './plan.ts';

/** When plans begin; the clock advances by a step for each look at it. */
export const START = 1_700_000_000_000;

export type ReadStep = Exclude<Step, { kind: 'calls' | 'reopen' }>;

/** Whom it is read from, and what is known. */
export interface From {
  readonly app: App;
  readonly release: Release;
  readonly server: string;
  readonly shape: DomainShape;
  readonly timeline: Timeline;
  readonly live: Live;
  /** The last position that it has told anybody of. */
  readonly told: number;
}

export async function reads(step: ReadStep, from: From): Promise<Reading> {
  const { app, release, server, shape, timeline, live, told } = from;
  const after = timeline.length;
  const base = { live, server, release: release.index, after, upTo: after, era: 0, endEra: 0 };
  const names = [...release.collections.keys()];
  const nameOf = (number: number): string => names[number % names.length]!;
  let reading: Reading;
  switch (step.kind) {
    case 'get': {
      const at = past(step.at, timeline);
      const ids = at && 'version' in at ? step.ids.slice(0, 1) : step.ids;
      const collection = nameOf(step.collection);
      reading = { ...base, kind: 'get', collection, ids, at };
      try {
        const given = structuredClone([ids, at] as const);
        const getting = app.get(release.collections.get(collection)!, given[0], given[1] as never);
        spoil(given);
        reading.documents = await getting;
      } catch (error) {
        reading.error = error;
      }
      break;
    }
    case 'history': {
      const collection = nameOf(step.collection);
      const { id, from } = step;
      reading = { ...base, kind: 'history', collection, id, from };
      const options = { after: from };
      const reader = app.history(release.collections.get(collection)!, id, options);
      spoil(options);
      await all(reader, reading);
      break;
    }
    case 'events': {
      const { from, before, reverse, type } = step;
      const { types: shapes } = shape;
      const types = type === undefined ? undefined : [shapes[type % shapes.length]!.name, '$ERRORED'];
      reading = { ...base, kind: 'events', from, before, types, reverse };
      const options = { after: from, before, types: types && [...types], reverse };
      const reader = app.events(options);
      spoil(options);
      await all(reader, reading);
      break;
    }
    case 'fold': {
      const collection = nameOf(step.collection);
      reading = { ...base, kind: 'fold', collection };
      const collections = [release.collections.get(collection)!] as const;
      const folding = app.fold(collections);
      spoil(collections);
      [reading.documents] = await folding;
      break;
    }
    case 'find': {
      const collection = nameOf(step.collection);
      const { query } = step;
      reading = { ...base, kind: 'find', collection, query, fresh: step.fresh ? told : 0, inOnePiece: true };
      const options = { ...findOptions(query), ...(!step.fresh && { fresh: false }) };
      const finding = app.find(release.collections.get(collection)!, options);
      spoil(options);
      reading.page = await finding;
      break;
    }
    case 'status':
      reading = { ...base, kind: 'status', status: await app.status() };
      break;
    case 'outcome':
      reading = { ...base, kind: 'outcome', id: `k${step.id}` };
      reading.outcome = await app.outcome(reading.id);
  }
  return reading;
}

function past(plan: PastPlan, { commits }: Timeline): At {
  if (!plan) return undefined;
  const { by, value } = plan;
  if (by !== 'time') return { [by]: value } as unknown as At;
  const recordedAt = commits.at(value % (commits.length + 1))?.commit.recordedAt ?? START;
  return { time: recordedAt + (value % 3) - 1 };
}

/** Takes down all that a reader gives, up to its end or its refusal. */
async function all(
  events: AsyncIterable<RecordedEvent>,
  reading: Extract<Reading, { kind: 'history' | 'events' }>,
): Promise<void> {
  const found: RecordedEvent[] = [];
  reading.events = found;
  try {
    for await (const event of events) found.push(event);
  } catch (error) {
    reading.error = error;
  }
}
