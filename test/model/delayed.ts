/** A session that others may come before: who comes first is part of the plan. */
import type { Session } from '../../src/store/store.ts';

export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Each call waits for so many turns of the event loop as `turns` says. */
export function delayed(session: Session, turns: () => number): Session {
  const after = <Given extends unknown[], T>(method: (...given: Given) => Promise<T>, of: unknown = session) => {
    return async (...given: Given): Promise<T> => {
      for (let left = turns(); left > 0; left -= 1) await turn();
      return method.apply(of, given);
    };
  };
  return {
    registry: after(session.registry),
    change: after(session.change),
    sweep: after(session.sweep),
    advance: after(session.advance),
    stored: after(session.stored),
    append: after(session.append),
    exclusive: (work) =>
      session.exclusive((locked) =>
        work({
          registry: after(locked.registry, locked),
          append: after(locked.append, locked),
          load: after(locked.load, locked),
          ledger: after(locked.ledger, locked),
          commits: after(locked.commits, locked),
          read: after(locked.read, locked),
          scan: after(locked.scan, locked),
          stored: after(locked.stored, locked),
          attach: (page) => locked.attach(page),
          fillIndex: (page) => locked.fillIndex(page),
        }),
      ),
    load: after(session.load),
    read: after(session.read),
    scan: after(session.scan),
    commits: after(session.commits),
    ledger: after(session.ledger),
    types: after(session.types),
    documents: after(session.documents),
    moved: after(session.moved),
    check: after(session.check),
    close: () => session.close(),
  };
}
