/**
 * The crashes that a commit survives: `full` all, `normal` all but a loss of power, `off` only a crash of the process.
 *
 * In its own file, so that the declarations for users don't need the types of Node.
 */
export type Synchronous = 'full' | 'normal' | 'off';
