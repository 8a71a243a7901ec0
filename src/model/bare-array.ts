/** What an array has beside its items: a look that costs the same for any number of them. */
import { inspect } from 'node:util';

const SURFACE = { maxArrayLength: 0, depth: 0, showHidden: true, showProxy: true, customInspect: false } as const;
/** How an array is shown that has nothing else, before and after its length. */
const PLAIN = inspect([0, 0], SURFACE).split('2');

/**
 * Whether an array has nothing but items, and takes others: it isn't a proxy, and has no field with a name. Only `inspect` tells that
 * without a look at each item; one that shows arrays otherwise some day finds none of them bare, which costs time only.
 */
export function isBareArray(array: readonly unknown[]): boolean {
  return Object.isExtensible(array) && inspect(array, SURFACE) === PLAIN.join(`${array.length}`);
}
