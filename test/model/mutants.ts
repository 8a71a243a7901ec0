/**
 * Stores with one defect each, from the suite that stores are held to: those whose defect an application can meet. The
 * others need pages of thousands of events, a store that goes back in time, or clocks that are off.
 */
import { deciding } from '../conformance/deciding.ts';
import type { Mutant } from '../conformance/mutant.ts';
import { reading } from '../conformance/reading.ts';
import { registering } from '../conformance/registering.ts';
import { seeing } from '../conformance/seeing.ts';
import { sessions } from '../conformance/sessions.ts';
import { timing } from '../conformance/timing.ts';
import { storing } from '../conformance/storing.ts';

export const DEFECTS_FOUND: readonly string[] = [
  'skips the stale check',
  'checks, and then writes',
  'lets the writer of an event say whether it matters',
  'takes a type handled anywhere for handled everywhere',
  'takes version 0 for no check',
  'looks only above the end seen',
  'stores half of a refused batch',
  'lets recordedAt run backwards',
  'follows its clock back',
  'records before the decision',
  'records when it was decided',
  'reads its clock for each commit',
  'skips a version',
  'answers heads after the batch',
  'stores events in another order',
  'sorts attachments',
  'stores a command twice that is sent twice',
  'takes any outcome for final',
  'forgets everything when it is closed',
  'wants the newest end',
  'ignores the generation',
  'reorders a page',
  'takes before for inclusive',
  'is off by one in asOf',
  'counts later events in heads',
  'ignores upTo',
  'takes the decision’s time for that of recording',
  'takes upTo for exclusive',
  'orders ids by UTF-16',
  'normalises ids',
  'takes a failure for a success',
];

export function mutantNamed(defect: string): Mutant {
  const found = [...deciding, ...reading, ...seeing, ...sessions, ...registering, ...storing, ...timing].find(
    (mutant) => mutant.defect === defect,
  );
  if (!found) throw new Error(`the suite has no store that ${defect}`);
  return found;
}
