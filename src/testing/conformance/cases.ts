/**
 * All cases of the suite, area by area: the table of contents.
 */
import type { ConformanceCase } from './case.ts';
import { appendCases } from './cases/append.ts';
import { attachingCases } from './cases/attaching.ts';
import { bytesCases } from './cases/bytes.ts';
import { chainCases } from './cases/chain.ts';
import { clockCases } from './cases/clock.ts';
import { closingCases } from './cases/closing.ts';
import { commitsCases } from './cases/commits.ts';
import { concurrencyCases } from './cases/concurrency.ts';
import { documentsCases } from './cases/documents.ts';
import { exclusiveCases } from './cases/exclusive.ts';
import { indexEntriesCases } from './cases/index-entries.ts';
import { indexFillingCases } from './cases/index-filling.ts';
import { ledgerCases } from './cases/ledger.ts';
import { loadStoredCases } from './cases/load-stored.ts';
import { loadCases } from './cases/load.ts';
import { madeSeenCases } from './cases/made-seen.ts';
import { modelCases } from './cases/model.ts';
import { movedCases } from './cases/moved.ts';
import { pagesCases } from './cases/pages.ts';
import { refusalCases } from './cases/refusal.ts';
import { registryCases } from './cases/registry.ts';
import { scanCases } from './cases/scan.ts';
import { seenCases } from './cases/seen.ts';
import { sessionCases } from './cases/session.ts';
import { sideBySideCases } from './cases/side-by-side.ts';
import { standingCases } from './cases/standing.ts';
import { storedModelCases } from './cases/stored-model.ts';
import { storedPagesCases } from './cases/stored-pages.ts';
import { storedCases } from './cases/stored.ts';
import { stringsCases } from './cases/strings.ts';
import { sweepCases } from './cases/sweep.ts';
import { typesCases } from './cases/types.ts';
import { wideCases } from './cases/wide.ts';

/** Every law that a store owes, as cases that are independent of a test framework. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...sessionCases,
  ...registryCases,
  ...appendCases,
  ...seenCases,
  ...refusalCases,
  ...standingCases,
  ...ledgerCases,
  ...clockCases,
  ...chainCases,
  ...loadCases,
  ...pagesCases,
  ...bytesCases,
  ...wideCases,
  ...scanCases,
  ...commitsCases,
  ...documentsCases,
  ...typesCases,
  ...movedCases,
  ...stringsCases,
  ...storedCases,
  ...madeSeenCases,
  ...storedPagesCases,
  ...loadStoredCases,
  ...indexEntriesCases,
  ...indexFillingCases,
  ...attachingCases,
  ...sweepCases,
  ...exclusiveCases,
  ...closingCases,
  ...concurrencyCases,
  ...sideBySideCases,
  ...modelCases,
  ...storedModelCases,
];
