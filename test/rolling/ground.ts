/** Reads a log by SQL and folds it by hand: what each decision should have seen, each document be, each event concern. */
import { isDeepStrictEqual } from 'node:util';
import { asking } from '../faults/log-by-sql.ts';
import type { Seen } from './release-server.ts';

interface Row {
  readonly position: number;
  readonly type: string;
  readonly fields: Readonly<Record<string, string | number>>;
  /** `collection/id` → version. */
  readonly attached: Readonly<Record<string, number>>;
}

function rowsOf(file: string): readonly Row[] {
  return asking(file, (database) => {
    const documents = new Map(
      database
        .prepare(
          "SELECT d.number, n.name || '/' || d.id AS name FROM documents AS d JOIN names AS n ON n.number = d.collection",
        )
        .all()
        .map(({ number, name }) => [number, String(name)]),
    );
    return database
      .prepare(
        `SELECT position, name AS type, json, attachments FROM events JOIN names ON names.number = type ORDER BY position`,
      )
      .all()
      .map(({ position, type, json, attachments }) => {
        const list = JSON.parse(String(attachments)) as number[];
        const pairs = list.flatMap((number, n) =>
          n % 2 === 0 ? [[documents.get(number)!, list[n + 1]!] as const] : [],
        );
        return {
          position: Number(position),
          type: String(type),
          fields: JSON.parse(String(json)) as Row['fields'],
          attached: Object.fromEntries(pairs),
        };
      });
  });
}

const KEYS = { order_id: 'orders', customer_id: 'customers', warehouse_id: 'warehouses' } as const;

/** How many events of a type a document has: by what fields of a decision say that they saw. */
const SAW: Readonly<Record<string, readonly [key: keyof typeof KEYS, type: string]>> = {
  saw_ordered: ['order_id', 'ORDERED'],
  saw_noted: ['order_id', 'NOTED'],
  saw_shipped: ['order_id', 'SHIPPED'],
  saw_notes: ['warehouse_id', 'NOTED'],
  saw_complaints: ['customer_id', 'NOTED'],
  saw_ordered_by: ['customer_id', 'ORDERED'],
};

/** What each release's reducers make of a collection's events: state fields by type. */
const STATES: Readonly<Record<'old' | 'new', Readonly<Record<string, Readonly<Record<string, string>>>>>> = {
  old: { orders: { ORDERED: 'ordered' }, customers: { ORDERED: 'ordered' }, warehouses: { NOTED: 'notes' } },
  new: {
    orders: { ORDERED: 'ordered', NOTED: 'noted', SHIPPED: 'shipped' },
    customers: { ORDERED: 'ordered', NOTED: 'complaints' },
    warehouses: { NOTED: 'notes' },
  },
};

export class Ground {
  readonly #rows: readonly Row[];
  /** `collection/id` → the types of its events, in order. */
  readonly #documents = new Map<string, string[]>();
  readonly #misattached: string[] = [];
  readonly #stale: string[] = [];

  constructor(file: string) {
    this.#rows = rowsOf(file);
    for (const row of this.#rows) this.#take(row);
  }

  get events(): number {
    return this.#rows.length;
  }

  /** Decisions that rested on another number of events than there were. */
  get stale(): readonly string[] {
    return this.#stale;
  }

  /** Events that are attached to other documents than their fields name, or at another version than the next. */
  get misattached(): readonly string[] {
    return this.#misattached;
  }

  get documents(): readonly { readonly collection: string; readonly id: string; readonly version: number }[] {
    return [...this.#documents].map(([name, types]) => {
      const [collection = '', id = ''] = name.split('/');
      return { collection, id, version: types.length };
    });
  }

  /** What servers read that isn't the fold, by their own reducers, of a document's first events. */
  misread(all: readonly Seen[]): readonly string[] {
    return all.flatMap(({ kind, collection, id, version, changed, state }) => {
      const fields = STATES[kind === 'new' || kind === 'deaf' ? 'new' : 'old'][collection]!;
      const types = (this.#documents.get(`${collection}/${id}`) ?? []).slice(0, version);
      const expected: Record<string, number> = Object.fromEntries(Object.values(fields).map((field) => [field, 0]));
      for (const type of types) if (fields[type]) expected[fields[type]]! += 1;
      const last = types.findLastIndex((type) => fields[type]) + 1;
      return types.length === version && changed === last && isDeepStrictEqual({ ...state }, expected)
        ? []
        : [`${kind} read ${collection} ${id} at version ${version} as ${JSON.stringify(state)}, changed at ${changed}`];
    });
  }

  #take({ position, type, fields, attached }: Row): void {
    for (const [field, [key, seen]] of Object.entries(SAW)) {
      if (fields[field] === undefined) continue;
      const before = this.#documents.get(`${KEYS[key]}/${fields[key]}`) ?? [];
      const there = before.filter((one) => one === seen).length;
      if (fields[field] !== there) {
        this.#stale.push(`${type} at ${position} rested on ${field} = ${fields[field]}, and there were ${there}`);
      }
    }
    const expected: Record<string, number> = {};
    for (const [key, collection] of Object.entries(KEYS)) {
      if (fields[key] === undefined) continue;
      const name = `${collection}/${fields[key]}`;
      let types = this.#documents.get(name);
      if (!types) this.#documents.set(name, (types = []));
      types.push(type);
      expected[name] = types.length;
    }
    if (!isDeepStrictEqual(expected, { ...attached })) {
      this.#misattached.push(`${type} at ${position} is attached to ${JSON.stringify(attached)}`);
    }
  }
}
