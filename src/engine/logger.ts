/** Where warnings and errors go: pino's interface, and the console if nothing is passed in. */

/** The part of pino's interface that is used. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/* oxlint-disable no-console -- the one place that writes to the console, where the user passes no logger */
/** Warnings and errors on stderr, with what they are about. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (details, message) => console.warn(`tidemark: ${message}`, details),
  error: (details, message) => console.error(`tidemark: ${message}`, details),
};
/* oxlint-enable no-console */

/** A logger that throws must not take a batch down with it. */
export function guarded(logger: Logger): Logger {
  const call =
    (level: keyof Logger) =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message);
      } catch {
        // There is nowhere left to report it.
      }
    };
  return { debug: call('debug'), info: call('info'), warn: call('warn'), error: call('error') };
}
