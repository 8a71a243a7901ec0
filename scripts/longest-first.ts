/** Test files that take minutes begin first: the last one of them would keep everybody waiting, on one processor. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const LONGEST = /simulation|replay|settings|main\.long|fuzz\/(?:events|queries)|check-pieces|growing/;

function isLongest({ moduleId }: TestSpecification): boolean {
  return LONGEST.test(moduleId);
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}
