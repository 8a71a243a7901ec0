/** What is wrong with a value that should be plain JSON, and where. */

/** What is wrong with a value, and where: `lines[2].price`. The path is empty for the value itself. */
export interface Fault {
  readonly path: string;
  readonly problem: string;
}

export function here(problem: string): Fault {
  return { path: '', problem };
}

export function at(step: string, { path, problem }: Fault): Fault {
  return { path: path === '' || path.startsWith('[') ? step + path : `${step}.${path}`, problem };
}

/** A fault in a message: `lines[2].price: NaN is not a JSON number`. */
export function describeFault(fault: Fault): string {
  return fault.path === '' ? fault.problem : `${fault.path}: ${fault.problem}`;
}

/** A lone surrogate or a NUL: two stores would disagree about it (PostgreSQL refuses NUL). */
export function textFault(value: string): Fault | undefined {
  if (!value.isWellFormed()) return here('a lone surrogate, which isn’t well-formed Unicode');
  return value.includes('\0') ? here('a NUL character') : undefined;
}
