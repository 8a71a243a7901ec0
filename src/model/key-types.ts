/** The types of keys: what a collection's key may name, for the events of a domain. Only types. */
import type { EventFrom } from './event.ts';
import type { FAILURE_FIELDS } from './failure.ts';

/** What may be in the place of an id: one, several, or none. */
export type KeyValue = string | readonly string[] | null | undefined;

// Three levels are as deep as a path is typed (and checked) at compile time; deeper ones need a function.
type Deeper = { 3: 2; 2: 1; 1: 0; 0: never };
type PathsOf<V, Depth extends 0 | 1 | 2 | 3> = [Depth] extends [0]
  ? never
  : V extends unknown
    ? {
        [F in keyof V & string]-?: NonNullable<V[F]> extends string | readonly string[]
          ? F
          : NonNullable<V[F]> extends readonly (infer Item)[]
            ? Item extends object
              ? `${F}[].${PathsOf<Item, Deeper[Depth]>}`
              : never
            : NonNullable<V[F]> extends object
              ? `${F}.${PathsOf<NonNullable<V[F]>, Deeper[Depth]>}`
              : never;
      }[keyof V & string]
    : never;

type FieldsOf<V> = V extends unknown
  ? { [F in keyof V]-?: V[F] extends KeyValue ? F : never }[keyof V] & string
  : never;
type NamedFields<V> = keyof { [F in keyof V as string extends F ? never : F]: F } & keyof V;
type OtherFieldsOf<V> = 0 extends 1 & V
  ? never
  : V extends unknown
    ? { [F in NamedFields<V>]-?: V[F] extends KeyValue ? never : F }[NamedFields<V>] & string
    : never;
/** A field that holds ids in every event that has it. `reason` and `details` belong to a failure's event. */
type AnyField<E> = Exclude<
  { [T in keyof E]: FieldsOf<E[T]> }[keyof E],
  { [T in keyof E]: OtherFieldsOf<E[T]> }[keyof E] | (typeof FAILURE_FIELDS)[number]
>;

/** A text with fields in braces: `'{room_id}/{day}'`. */
type TemplateText = `${string}{${string}}${string}`;

/**
 * A field name, a template, several of them, or a map from event type to a field name, a template, a path, several of them, or
 * a function. A missing or null field is no id; an event with anything else in the place of an id, or on the way there, is
 * refused (`InvalidEvent`).
 */
export type Key<E> =
  | AnyField<E>
  | TemplateText
  | readonly (AnyField<E> | TemplateText)[]
  | {
      readonly [T in keyof E]?:
        | PathsOf<E[T], 3>
        | TemplateText
        | readonly (PathsOf<E[T], 3> | TemplateText)[]
        | ((event: EventFrom<E, T>) => KeyValue);
    };

type ItemIn<K> = K extends readonly (infer Item)[] ? Item : K;
type TextsIn<K> = Extract<ItemIn<K>, string>;
type PlaceholdersOf<Text> = Text extends `${string}{${infer Field}}${infer Rest}`
  ? Field | PlaceholdersOf<Rest>
  : never;

/** Whether an event of some shape of V has the field, or all fields of the template. */
type Has<V, Text> = 0 extends 1 & V
  ? true
  : Text extends TemplateText
    ? V extends unknown
      ? [PlaceholdersOf<Text>] extends [keyof V]
        ? true
        : never
      : never
    : V extends unknown
      ? Text extends keyof V
        ? true
        : never
      : never;

/** The event types that a key may attach: those that a map names, or those that have one of the fields. */
export type AttachedTypes<E, K> = K extends string | readonly string[]
  ? { [T in keyof E]: true extends Has<E[T], TextsIn<K>> ? T : never }[keyof E]
  : keyof K;

// --- What is wrong with a template ------------------------------------------------------------------------------------------

type IsSeveral<U, One = U> = [U] extends [never] ? false : One extends U ? ([U] extends [One] ? false : true) : never;
type ArrayFieldsOf<V> = V extends unknown
  ? { [F in keyof V]-?: Extract<NonNullable<V[F]>, readonly unknown[]> extends never ? never : F }[keyof V] & string
  : never;
type WrongFields<Text, Fields> = Exclude<PlaceholdersOf<Text>, Fields>;

type TextFault<Text, V> = Text extends TemplateText
  ? 0 extends 1 & V
    ? never
    : [WrongFields<Text, FieldsOf<V>>] extends [never]
      ? true extends IsSeveral<PlaceholdersOf<Text> & ArrayFieldsOf<V>>
        ? { '~only one field of a template may be an array': Text }
        : never
      : { '~a template needs fields of the event that are strings': WrongFields<Text, FieldsOf<V>> }
  : never;

type AllTextFault<E, Text> = Text extends TemplateText
  ? [WrongFields<Text, AnyField<E>>] extends [never]
    ? true extends { [T in keyof E]: Has<E[T], Text> }[keyof E]
      ? { [T in keyof E]: true extends Has<E[T], Text> ? TextFault<Text, E[T]> : never }[keyof E]
      : { '~no event has all fields of the template': Text }
    : { '~a template needs fields that are strings in every event': WrongFields<Text, AnyField<E>> }
  : never;

type Fitting<Fault> = [Fault] extends [never] ? unknown : Fault;

/**
 * Marks at compile time, in a key, a template whose fields the events don't have, or have as something else than strings. Mapped
 * over the key where it is a map: functions in it keep the types of their events.
 */
export type FittingTemplates<E, K> = K extends string
  ? Fitting<AllTextFault<E, K>>
  : K extends readonly string[]
    ? Fitting<AllTextFault<E, K[number]>>
    : { readonly [T in keyof K]: T extends keyof E ? Fitting<TextFault<TextsIn<K[T]>, E[T]>> : unknown };

// --- What identifies a document ---------------------------------------------------------------------------------------------

type TemplatesIn<K> = Extract<K extends string | readonly string[] ? TextsIn<K> : TextsIn<K[keyof K]>, TemplateText>;
type IdFieldsOf<Text> = Text extends TemplateText ? { readonly [F in PlaceholdersOf<Text>]: string } : never;

/** The fields that a key's templates make an id of; never where it has none. */
export type IdFields<K> = IdFieldsOf<TemplatesIn<K>>;
