/**
 * Defects of the engine, as whoever uses it would see them: planted in what stands before it (its methods, a reducer)
 * and behind it (its session), so that they can be planted in the simulation and in the model-based test alike.
 */
import { HistoryDiverged, type App, type RecordedEvent } from 'tidemark';
import type { Commit, DocumentRef, Session, Store } from '../src/store/store.ts';
import { resting } from '../src/testing/conformance/batches.ts';
import type { Reducer } from './domain/build.ts';
import type { State } from './domain/user-code.ts';

/** What is changed of an engine. */
export interface EnginePlant {
  readonly app?: (sound: App) => App;
  /** What the engine has from a reducer. */
  readonly reducer?: (sound: Reducer) => Reducer;
  /** What is replaced of its session. */
  readonly session?: (sound: Session) => Partial<Session>;
}

/** A store whose sessions do something else. They must be plain objects: a class keeps its state to itself. */
export function storeWith(store: Store, defect: (sound: Session) => Partial<Session>): Store {
  return {
    name: store.name,
    open: async () => {
      const sound = await store.open();
      return { ...sound, ...defect(sound) };
    },
  };
}

// eslint-disable-next-line typescript/no-explicit-any -- any method of an application
type Method = (...given: any[]) => unknown;

/** An application with other methods. */
export function replacing(methods: (sound: App) => Partial<Record<keyof App, Method>>): EnginePlant {
  return {
    app: (sound) => {
      const others = methods(sound);
      return new Proxy(sound, {
        get: (_, name: keyof App) => others[name] ?? (sound[name] as Method).bind(sound),
      });
    },
  };
}

/** What is given to a method is looked at when others have run. */
function late(name: 'execute' | 'get' | 'fold'): EnginePlant {
  return replacing((sound) => ({
    [name]: async (...given: unknown[]) => {
      await Promise.resolve();
      return (sound[name] as Method)(...given);
    },
  }));
}

/** What is given to a method is looked at when the first event is asked for. */
function lateReader(name: 'events' | 'history'): EnginePlant {
  return replacing((sound) => ({
    [name]: async function* (...given: unknown[]) {
      yield* (sound[name] as Method)(...given) as AsyncIterable<RecordedEvent>;
    },
  }));
}

export const ENGINE_DEFECTS: Readonly<Record<string, EnginePlant>> = {
  'execute reads its arguments after an await': late('execute'),
  'get reads its arguments after an await': late('get'),
  'fold reads its arguments after an await': late('fold'),
  'events reads its options when it begins': lateReader('events'),
  'history reads its options when it begins': lateReader('history'),
  'what lies deep in a frozen array is taken for frozen': replacing((sound) => {
    const opened = new WeakMap<object, State>();
    const openedOnce = (document: { readonly state: State }): object => {
      const state = opened.get(document.state) ?? openedDeep(document.state);
      opened.set(document.state, state);
      return { ...document, state };
    };
    return {
      get: async (...given) => ((await (sound.get as Method)(...given)) as never[]).map(openedOnce),
    };
  }),
  'what is frozen is taken for plain JSON': {
    reducer:
      (sound) =>
      (...given) => {
        const state = sound(...given);
        // What the engine should find in it is gone.
        return Object.isFrozen(state) ? (JSON.parse(JSON.stringify(state)) as State) : state;
      },
  },
  'whoever reads on from beyond the end is left waiting': replacing((sound) => ({
    events: (options) => waiting(sound.events(options), options),
    history: (collection, id, options) => waiting(sound.history(collection, id, options), options),
  })),
  'what an error rests on is not checked': {
    session: (sound) => ({
      append: async (batch) => {
        const blamed = batch.commits.flatMap((commit) => blamedBy(commit) ?? []);
        const isBlamed = (read: DocumentRef): boolean =>
          blamed.some(({ collection, id }) => collection === read.collection && id === read.id);
        const answer = await sound.append(resting(batch, (read) => !isBlamed(read)));
        if (!('heads' in answer)) return answer;
        const heads = [...answer.heads];
        return { ...answer, heads: batch.reads.map((read) => (isBlamed(read) ? read.version : heads.shift()!)) };
      },
    }),
  },
};

/** How far into an array somebody looks who doesn't look at all of it. */
const LOOK = 32;

function openedDeep(state: State): State {
  const { marks } = state;
  if (!marks) return state;
  const opened = marks.map((mark, index) => (index < LOOK ? mark : structuredClone(mark)));
  return Object.freeze({ ...state, marks: Object.freeze(opened) });
}

async function* waiting(
  reader: AsyncIterable<RecordedEvent>,
  { follow, signal }: { follow?: boolean; signal?: AbortSignal } = {},
): AsyncGenerator<RecordedEvent> {
  try {
    yield* reader;
  } catch (error) {
    if (!(error instanceof HistoryDiverged) || !('after' in error.details)) throw error;
    if (!follow) return;
    await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));
  }
}

/** The document that couldn't take an event in, as its error names it. */
function blamedBy({ details = '{}' }: Commit): DocumentRef | undefined {
  const { message = '' } = JSON.parse(details) as { message?: string };
  const [, collection, id] = /in collection (\S+) .*The document "(.*)" can't be read/.exec(message) ?? [];
  return collection === undefined || id === undefined ? undefined : { collection, id };
}
