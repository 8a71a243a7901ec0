/**
 * A sum over attachments that doesn't depend on their order, in constant memory. It guards against damage, not against an
 * attacker (the hash chain does that).
 */
export class AttachmentSum {
  #count = 0;
  #sum = 0n;

  add(collection: string, id: string, version: number, position: number): void {
    this.#count += 1;
    this.#sum = BigInt.asUintN(128, this.#sum + fingerprint(`${collection}\0${id}\0${version}\0${position}`));
  }

  equals(other: AttachmentSum): boolean {
    return this.#count === other.#count && this.#sum === other.#sum;
  }
}

/** Two FNV-1a hashes of 32 bits with different bases, side by side. */
function fingerprint(text: string): bigint {
  let low = 0x811c9dc5;
  let high = 0x050c5d1f;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ (code + index), 0x01000193);
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
