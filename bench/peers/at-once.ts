/** So many at once, each with its number: for seeding. */
export async function atOnce(lanes: number, count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(lanes, count) }, async () => {
      for (let n = next++; n < count; n = next++) await work(n);
    }),
  );
}
