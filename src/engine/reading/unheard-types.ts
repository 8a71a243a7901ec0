/** Event types that a reader asks for, and that were never stored. */
import { nearestTo, shownName } from '../../nearest.ts';
import type { Core } from '../core.ts';
import { heldTypes, NAMED_MAX } from '../held-types.ts';

/**
 * Warns of types that neither this code nor the log knows: most likely misspelt. No error: another release may make them yet.
 * And of former names: what is stored under them has its new name here.
 */
export async function warnOfUnheard(core: Core, types: readonly string[]): Promise<void> {
  const { events, stored } = core.domain;
  const ours = new Set([...events.keys(), ...Array.from(core.commands, ({ failureType }) => failureType)]);
  const asked = types.filter((type) => !ours.has(type));
  warnOfFormer(
    core,
    asked.filter((type) => stored.has(type)),
  );
  const known = (type: string): boolean =>
    type.startsWith('$') || core.membership.handled.has(type) || stored.has(type);
  const others = new Set(asked.filter((type) => !known(type)));
  if (others.size === 0) return;
  const held = await heldTypes(core.session);
  for (const { type } of held) others.delete(type);
  if (others.size === 0) return;
  const theirs = [...core.membership.handled, ...held.map(({ type }) => type)].filter((type) => !stored.has(type));
  const names = [...ours, ...theirs];
  const unheard = [...others].slice(0, NAMED_MAX).map((type) => ({ type, nearest: nearestTo(type, names) }));
  const shown = unheard.map(({ type, nearest }) => shownName(type) + (nearest ? ` (did you mean ${nearest}?)` : ''));
  core.logger.warn(
    { types: unheard },
    `events is asked for types that neither this code nor the log knows: ${shown.join(', ')}. No such event was ever stored.`,
  );
}

function warnOfFormer(core: Core, former: readonly string[]): void {
  if (former.length === 0) return;
  const renamed = former.slice(0, NAMED_MAX).map((type) => ({ type, now: core.domain.stored.get(type)!.type }));
  const shown = renamed.map(({ type, now }) => `${shownName(type)} is called ${now}`);
  core.logger.warn(
    { types: renamed },
    `events is asked for former names of types, and gives nothing for them. In this code ${shown.join(', ')}.`,
  );
}
