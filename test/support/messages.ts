/** A stream of PostgreSQL's protocol, cut into its messages: a byte that says which, and the length of the rest. */

export class Messages {
  #rest: Buffer = Buffer.alloc(0);
  /** The first message of a client says no type. */
  #typed: boolean;

  constructor(from: 'client' | 'server') {
    this.#typed = from === 'server';
  }

  /** The messages that are whole by now. */
  take(bytes: Buffer): Buffer[] {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole: Buffer[] = [];
    for (;;) {
      const head = this.#typed ? 1 : 0;
      if (rest.length < head + 4) break;
      const length = head + rest.readUInt32BE(head);
      if (rest.length < length) break;
      whole.push(rest.subarray(0, length));
      rest = rest.subarray(length);
      this.#typed = true;
    }
    this.#rest = rest;
    return whole;
  }
}
