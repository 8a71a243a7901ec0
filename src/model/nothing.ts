/** A command that finds nothing to do: a success without an event of the domain. */
import { oneOf, optionsOf, type Checks } from '../options.ts';
import { markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';

/** What `nothing` returns, to be returned from `decide`. */
export interface Nothing {
  readonly nothing: true;
  /** Whether it leaves an event for the ledger. */
  readonly record: boolean;
}

/** The event that `nothing()` leaves: attached to no document. */
export interface Unchanged {
  readonly type: '$UNCHANGED';
  /** The command's name. */
  readonly command: string;
}

const MARK = markOf('nothing');

/**
 * The command succeeds, and there is nothing to do. It leaves the system's `$UNCHANGED` event, so its id is answered from the
 * ledger when it is sent again.
 *
 * @param options `record`: if false, it leaves no event and no entry in the ledger, and the outcome says
 *   `recorded: false`. Sent again, it is decided again. For commands so frequent that the log should not grow by them.
 * @throws InvalidDefinition for an unknown option
 * @example
 * ```ts
 * import { domain, nothing, type } from 'tidemark';
 *
 * const house = domain({ events: { SWITCHED_OFF: type<{ lamp_id: string }>() } });
 * const lamps = house.collection('lamps', {
 *   key: 'lamp_id',
 *   initial: { on: true },
 *   reduce: { SWITCHED_OFF: () => ({ on: false }) },
 * });
 * house.command('SWITCH_OFF', {
 *   input: type<{ lamp_id: string }>(),
 *   reads: ({ lamp_id }) => ({ lamp: lamps.ref(lamp_id) }),
 *   decide: ({ lamp }, input) => (lamp.state.on ? { type: 'SWITCHED_OFF', ...input } : nothing()),
 * });
 * ```
 */
export function nothing(options?: NothingOptions): Nothing {
  const { record = true } = optionsOf<NothingOptions>('nothing()', options, OPTIONS);
  return Object.freeze(brand({ nothing: true, record } as const, MARK, true));
}

interface NothingOptions {
  readonly record?: boolean | undefined;
}

const OPTIONS: Checks<NothingOptions> = { record: oneOf([true, false]) };

/** Whether `nothing` made the value: an object that merely looks like it is an event without a type. */
export function isNothing(value: unknown): value is Nothing {
  return brandOf(value, MARK) === true;
}
