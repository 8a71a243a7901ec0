/** Names given by the caller in messages, and the known name that a wrong one is near to. */

/** Longest part of a name that messages show, in UTF-16 code units. */
const NAME_SHOWN = 100;

/** A name given by the caller, as a message shows it. */
export function shownName(name: string): string {
  return JSON.stringify(name.slice(0, NAME_SHOWN));
}

/** The known name that is most likely meant; undefined if none is near. */
export function nearestTo(name: string, known: Iterable<string>): string | undefined {
  const given = name.slice(0, NAME_SHOWN).toLowerCase();
  const [nearest] = Array.from(known, (one) => ({ one, edits: editsBetween(given, one.toLowerCase()) }))
    .filter(({ one, edits }) => edits <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.edits - b.edits);
  return nearest?.one;
}

/** How many letters must be added, removed or replaced to turn one name into the other (Levenshtein). */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at += 1) {
    const above = row;
    row = [at];
    for (let index = 1; index <= other.length; index += 1) {
      const replaced = above[index - 1]! + (one[at - 1] === other[index - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[index]! + 1, row[index - 1]! + 1));
    }
  }
  return row[other.length]!;
}
