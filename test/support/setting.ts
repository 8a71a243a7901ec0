/** Numbers of the environment: how long, how often, which seed. A typing error must not make a run of nothing. */

/** @throws Error if what is set is no number above 0 */
export function setting(name: string, otherwise: number): number {
  const given = process.env[name];
  if (given === undefined || given === '') return otherwise;
  const value = Number(given);
  if (!(value > 0) || value === Infinity) throw new Error(`${name} must be a number above 0, not ${given}.`);
  return value;
}
