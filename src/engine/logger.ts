/** Where warnings and errors go: pino's interface; by default the console. */
import { isPromise } from '../realm.ts';

export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/* oxlint-disable no-console -- the default logger */
/** Warnings and errors go to stderr, with their details. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (details, message) => console.warn(`tidemark: ${message}`, details),
  error: (details, message) => console.error(`tidemark: ${message}`, details),
};
/* oxlint-enable no-console */

/** A logger that throws, or whose promise rejects, must not stop a batch. */
export function guarded(logger: Logger): Logger {
  const call =
    (level: keyof Logger) =>
    (details: object, message: string): void => {
      try {
        const returned: unknown = logger[level](details, message);
        // Its rejection is handled there.
        isPromise(returned);
      } catch {
        // There is no place left to report it.
      }
    };
  return { debug: call('debug'), info: call('info'), warn: call('warn'), error: call('error') };
}
