/** How many events a follower was given until its signal aborted. */
export async function collectedFrom(events: AsyncIterable<unknown>, signal: AbortSignal): Promise<number> {
  let count = 0;
  try {
    for await (const _ of events) count += 1;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return count;
}
