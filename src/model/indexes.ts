/** Indexes: the fields of a collection's states that its documents are found by quickly. */
import { INDEXES_MAX, INDEX_FIELDS_MAX } from '../limits.ts';
import type { Check } from '../options.ts';
import { nameFault } from './id.ts';

// As deep as a path is typed.
type Deeper = { 4: 3; 3: 2; 2: 1; 1: 0; 0: never };
type Scalar = string | number | boolean | null;
type Addressed<Field> = Field extends '' | `$${string}` | `${string}.${string}` ? never : Field;
type IsAny<T> = 0 extends 1 & T ? true : false;

/** The paths to the values of a state that can be ordered: `price`, `address.city`. Never into an array. */
export type StatePath<State, Depth extends 0 | 1 | 2 | 3 | 4 = 4> = [Depth] extends [0]
  ? never
  : IsAny<State> extends true
    ? string
    : State extends Scalar | readonly unknown[] | undefined
      ? never
      : { [F in keyof State & string]-?: PathsAt<Addressed<F>, State[F], Depth> }[keyof State & string];

type PathsAt<Field extends string, Value, Depth extends 0 | 1 | 2 | 3 | 4> = [Field] extends [never]
  ? never
  : | (IsAny<Value> extends true ? Field : [Extract<Value, Scalar>] extends [never] ? never : Field)
    | `${Field}.${StatePath<Value, Deeper[Depth]>}`;

/** What the option `indexes` is given: for each index a path, or several in their order. */
export type Indexes<State> = readonly (StatePath<State> | readonly StatePath<State>[])[];

/** Each index as its list of paths; in one order, whatever order they were written in. */
export type IndexDefinitions = readonly (readonly string[])[];

/** The check of the option `indexes`. */
export const indexesOption: Check<IndexDefinitions> = (given, refuse) => {
  if (!Array.isArray(given)) return refuse("must be an array: ['price', ['seller_id', 'price']]");
  if (given.length > INDEXES_MAX) return refuse(`has ${given.length} indexes; at most ${INDEXES_MAX} are allowed`);
  const indexes = new Map<string, readonly string[]>();
  for (const one of Array.from(given as unknown[])) {
    const paths = Array.from(Array.isArray(one) ? (one as unknown[]) : [one]);
    if (paths.length === 0) return refuse('has an index without fields');
    if (paths.length > INDEX_FIELDS_MAX) {
      return refuse(`has an index of ${paths.length} fields; at most ${INDEX_FIELDS_MAX} are allowed`);
    }
    const checked: string[] = [];
    for (const path of paths) {
      const fault = pathFault(path);
      if (fault) return refuse(`has the field ${shown(path)}, which ${fault}`);
      if (checked.includes(path as string)) return refuse(`names the field ${shown(path)} twice in one index`);
      checked.push(path as string);
    }
    const text = JSON.stringify(checked);
    if (indexes.has(text)) return refuse(`has the index ${text} twice`);
    indexes.set(text, Object.freeze(checked));
  }
  const sorted = [...indexes].sort(([text], [other]) => (text < other ? -1 : 1));
  return Object.freeze(sorted.map(([, paths]) => paths));
};

function pathFault(path: unknown): string | undefined {
  const fault = nameFault(path);
  if (fault) return fault;
  const parts = (path as string).split('.');
  if (parts.includes('__proto__')) return 'must not be __proto__';
  if (parts.includes('')) return 'has an empty part';
  if (parts.some((part) => part.startsWith('$'))) return 'has a part that begins with $';
  return undefined;
}

function shown(path: unknown): string {
  return typeof path === 'string' ? JSON.stringify(path.slice(0, 100)) : `a ${typeof path}`;
}
