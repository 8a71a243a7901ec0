/** Registers the cases with Jest, or with vitest where its functions are global. */
import { cases } from './cases.mjs';

test.each(Object.entries(cases))('%s', (_, run) => run());
