/** Numbers of the environment: how long, how often, which seed. A typing error must not make a run of nothing. */

/** Whether this is the run of all tests (`npm run test:all`), which has time for the long form of each. */
export const isAll = process.env['TIDEMARK_ALL'] === '1';

/** What the environment says of `name`; otherwise `usual`, or `all` in the run of all tests. @throws Error for no number above 0 */
export function setting(name: string, usual: number, all = usual): number {
  const given = process.env[name];
  if (given === undefined || given === '') return isAll ? all : usual;
  const value = Number(given);
  if (!(value > 0) || value === Infinity) throw new Error(`${name} must be a number above 0, not ${given}.`);
  return value;
}
