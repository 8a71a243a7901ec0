/** The registry, and what changes in it bring into being and out of it. */
import type { AttachedPage, Judge, LogEnd, LogFacts, Registry, RegistryChange } from '../../store.ts';
import { changedBy } from '../../registry.ts';
import { endOf, type Log } from '../schema.ts';
import { attachLater } from './attach.ts';

export class RegistryEntries {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  registry(): Registry {
    return this.#log.registry;
  }

  /** The registry, if there is nothing to change. */
  unchangedBy(end: LogEnd, judge: Judge): Registry | undefined {
    return judge(this.#log.registry, this.#facts(end)) === undefined ? this.#log.registry : undefined;
  }

  /** With the write lock held. Changes nothing if `judge` throws. */
  change(judge: Judge): Registry {
    const change = judge(this.#log.registry, this.#facts(endOf(this.#log)));
    if (change) this.write(change);
    return this.#log.registry;
  }

  write(change: RegistryChange): void {
    this.#log.registry = changedBy(this.#log.registry, change);
  }

  /** Where a keying that is being filled has come to; undefined if it isn't. */
  filledTo(name: string): number | undefined {
    const keying = this.#log.registry.keyings.find((one) => one.name === name);
    return keying?.state === 'filling' ? keying.filled : undefined;
  }

  /** Attaches the events of a page that was checked. */
  attach({ keying: name, to, attachments, live }: AttachedPage): void {
    attachLater(this.#log, name, attachments);
    const keying = this.#log.registry.keyings.find((one) => one.name === name)!;
    const moved = { ...keying, filled: to, state: live ? 'live' : 'filling' } as const;
    this.write({ raises: live, last: this.#log.registry.last, keyings: [moved] });
  }

  #facts(end: LogEnd): LogFacts {
    const { types } = this.#log;
    const firstOf = (type: string): number | undefined => {
      const position = types.get(type)?.position;
      return position !== undefined && position <= end.position ? position : undefined;
    };
    return { isEmpty: end.position === 0, firstOf };
  }
}
