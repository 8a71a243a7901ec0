/** Event types that a reader asks for, and that were never stored. */
import { nearestTo, shownName } from '../../nearest.ts';
import type { Core } from '../core.ts';
import { heldTypes, NAMED_MAX } from '../held-types.ts';

/** Warns of types that neither this code nor the log knows: most likely misspelt. No error: another release may make them yet. */
export async function warnOfUnheard(core: Core, types: readonly string[]): Promise<void> {
  const ours = new Set([...core.events.keys(), ...Array.from(core.commands, ({ failureType }) => failureType)]);
  const known = (type: string): boolean => type.startsWith('$') || ours.has(type) || core.membership.handled.has(type);
  const others = new Set(types.filter((type) => !known(type)));
  if (others.size === 0) return;
  const held = await heldTypes(core.session);
  for (const { type } of held) others.delete(type);
  if (others.size === 0) return;
  const names = [...ours, ...core.membership.handled, ...held.map(({ type }) => type)];
  const unheard = [...others].slice(0, NAMED_MAX).map((type) => ({ type, nearest: nearestTo(type, names) }));
  const shown = unheard.map(({ type, nearest }) => shownName(type) + (nearest ? ` (did you mean ${nearest}?)` : ''));
  core.logger.warn(
    { types: unheard },
    `events is asked for types that neither this code nor the log knows: ${shown.join(', ')}. No such event was ever stored.`,
  );
}
