/** The types of queries, made from the state of a collection. */

type Scalar = string | number | boolean | null;
type IsAny<T> = 0 extends 1 & T ? true : false;
/** The fields of all shapes that a state may have. */
type Distributed<V> = V extends unknown ? keyof V : never;

/** A field that a path can name. */
type Named<F> = F extends string ? (F extends `${string}.${string}` | `$${string}` | '' ? never : F) : never;
/** Not on the first level: there they are words of a query. */
type Word = 'AND' | 'OR' | 'NOT';

// Three levels are as deep as paths are typed; deeper ones are tolerated.
type Deeper = { 3: 2; 2: 1; 1: 0 };
type Level = 3 | 2 | 1 | 0;

/** Whether a value has fields that paths lead to. */
type HasFields<V> = V extends Scalar | undefined | readonly unknown[] ? false : true;
type WithFields<V> = V extends unknown ? (HasFields<V> extends true ? V : never) : never;

type PathsOf<V, Depth extends Level> =
  IsAny<V> extends true
    ? string
    : V extends unknown
      ? { [F in Named<keyof V>]-?: F | PathsBelow<F, WithFields<V[F]>, Depth> }[Named<keyof V>]
      : never;
type PathsBelow<F extends string, V, Depth extends Level> = [V] extends [never]
  ? IsAny<V> extends true
    ? `${F}.${string}`
    : never
  : Depth extends keyof Deeper
    ? `${F}.${PathsOf<V, Deeper[Depth]>}`
    : `${F}.${string}`;

/** What may be at a path: `unknown` where the types don't say. */
type ValueAt<V, Path extends string> =
  IsAny<V> extends true
    ? unknown
    : V extends unknown
      ? Path extends keyof V
        ? V[Path]
        : string extends Path
          ? unknown
          : Path extends `${infer First}.${infer Rest}`
            ? First extends keyof V
              ? ValueAt<WithFields<V[First]>, Rest>
              : never
            : never
      : never;

/** The paths of a state that a query can name. */
export type PathOf<State> = string extends Distributed<State> ? string : Exclude<PathsOf<WithFields<State>, 3>, Word>;

/** Operators for a value that the types don't know. */
interface AnyOperators {
  readonly eq?: Scalar;
  readonly ne?: Scalar;
  readonly in?: readonly Scalar[];
  readonly lt?: number | string;
  readonly lte?: number | string;
  readonly gt?: number | string;
  readonly gte?: number | string;
  readonly startsWith?: string;
  readonly exists?: boolean;
  readonly has?: Scalar;
}

type ScalarsOf<T> = Extract<T, Scalar>;
type ItemsOf<T> = T extends readonly (infer Item)[] ? (unknown extends Item ? Scalar : ScalarsOf<Item>) : never;
type OrderedOf<T> = (T extends number ? number : never) | (T extends string ? string : never);
type Given<Name extends string, V> = [V] extends [never] ? unknown : { readonly [K in Name]?: V };

type Operators<T> = { readonly exists?: boolean } & Given<'eq' | 'ne', ScalarsOf<T>> &
  ([ScalarsOf<T>] extends [never] ? unknown : { readonly in?: readonly ScalarsOf<T>[] }) &
  Given<'lt' | 'lte' | 'gt' | 'gte', OrderedOf<T>> &
  Given<'startsWith', T extends string ? string : never> &
  Given<'has', ItemsOf<T>>;

/** What is asked of a value: the value itself, or operators, all of which must hold. */
export type Condition<T> = unknown extends T ? Scalar | AnyOperators : Conditioned<Exclude<T, undefined>>;
type Conditioned<T> = ScalarsOf<T> | Operators<T>;

interface Facts {
  readonly $id?: Condition<string>;
  readonly $version?: Condition<number>;
  readonly $changed?: Condition<number>;
}

/**
 * Which documents are found. Fields are named by their paths: `price`, `'address.city'`. All that is named must hold.
 *
 * - A bare value, or operators: `eq`, `ne`, `lt`, `lte`, `gt`, `gte`, `in`, `startsWith`, `exists`, and `has` for a value in an
 *   array. Values are compared with those of their own JSON type; texts by their UTF-8 bytes.
 * - `ne` and `NOT` find exactly what the other form doesn't: also documents without the field.
 * - `null` is a value: a missing field isn't null. `OR: []` and `in: []` find nothing, `AND: []` everything.
 * - `$id`, `$version` and `$changed` are those of the document.
 */
export type Where<State> =
  string extends PathOf<State>
    ? UntypedWhere
    : { readonly [Path in PathOf<State>]?: Condition<ValueAt<State, Path>> } & Facts & {
          readonly AND?: readonly Where<State>[];
          readonly OR?: readonly Where<State>[];
          readonly NOT?: Where<State>;
        };

/** Of a state whose fields the types don't know. */
export interface UntypedWhere {
  readonly [path: string]: Scalar | AnyOperators | readonly UntypedWhere[] | UntypedWhere;
}

export type Direction = 'asc' | 'desc';

/** The order of what is found: one field in each object. Ties follow `$id`, in the direction of the last field. */
export type OrderBy<State> = readonly {
  [Path in PathOf<State> | keyof Facts]: { readonly [P in Path]: Direction };
}[PathOf<State> | keyof Facts][];

declare const CURSOR: unique symbol;

/** A place in a list, as a page gave it: it belongs to the same collection, `where` and `orderBy`. Not a secret. */
export type Cursor = string & { readonly [CURSOR]: true };
