/**
 * The order of strings in a log: that of their UTF-8 bytes, which is also the order of code points. JavaScript's `<` compares
 * UTF-16 code units, and puts characters above U+FFFF before those from U+E000 to U+FFFF.
 */
import type { DocumentRef } from '../../store.ts';

/** Negative if `a` comes first, positive if `b` does, 0 if they are the same. */
export function compareStrings(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    // Equal up to here: inside a surrogate pair, both are at the same half.
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Documents are ordered by collection, then id. */
export function compareDocuments(a: DocumentRef, b: DocumentRef): number {
  return compareStrings(a.collection, b.collection) || compareStrings(a.id, b.id);
}

/** A surrogate is part of a character above U+FFFF, so it ranks above all other code units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}
