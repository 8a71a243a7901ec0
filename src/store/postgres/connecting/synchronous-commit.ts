/**
 * What a commit waits for before it is acknowledged, as PostgreSQL has it: `on` for its own disk and that of the standbys
 * that the server is told to wait for, `remote_apply` for more, the others for less; `off` for nothing.
 */
export type SynchronousCommit = 'on' | 'remote_apply' | 'remote_write' | 'local' | 'off';
