/**
 * How much of a crash a commit survives: `full` all, `normal` all but a loss of power, `off` only that of the process.
 *
 * In a file of its own: the declarations that users compile against then name nothing of Node's.
 */
export type Synchronous = 'full' | 'normal' | 'off';
