/** The tables of a log in SQLite as its format has them, for tests that look at them without any code of the product. */
export const TABLES: Readonly<
  Record<string, { readonly key: readonly string[]; readonly columns: readonly string[] }>
> = {
  meta: { key: ['name'], columns: ['value'] },
  names: { key: ['number'], columns: ['name'] },
  registry: { key: ['name'], columns: ['definition', 'key', 'handled'] },
  documents: { key: ['number'], columns: ['collection', 'id'] },
  commits: {
    key: ['position'],
    columns: [
      'event_count',
      'command_id',
      'attempt',
      'name',
      'fingerprint',
      'actor',
      'correlation',
      'causation',
      'outcome',
      'reason',
      'details',
      'time',
      'recorded_at',
      'hash',
    ],
  },
  events: { key: ['position'], columns: ['type', 'schema_version', 'time', 'attachments', 'json'] },
  types: { key: ['type'], columns: ['position', 'succeeded'] },
  attachments: { key: ['document', 'version'], columns: ['position', 'type'] },
};
