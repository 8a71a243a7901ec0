/** The tables of a log in SQLite as its format has them, for tests that look at them without any code of the product. */
export const TABLES: Readonly<
  Record<string, { readonly key: readonly string[]; readonly columns: readonly string[] }>
> = {
  meta: { key: ['name'], columns: ['value'] },
  names: { key: ['number'], columns: ['name'] },
  keyings: { key: ['name'], columns: ['collection', 'key', 'definition', 'state', 'filled'] },
  definitions: {
    key: ['id'],
    columns: ['collection', 'definition', 'handled', 'keying', 'document_set', 'rebuilt', 'used_at'],
  },
  indexes: { key: ['number'], columns: ['document_set', 'fields', 'state', 'filled', 'used_at'] },
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
  later: { key: ['position', 'document'], columns: ['version'] },
  sets: { key: ['number'], columns: ['position', 'hash'] },
  stored: { key: ['number'], columns: ['document_set', 'id', 'version', 'changed', 'failed', 'state'] },
  entries: { key: ['number', 'key'], columns: ['document'] },
};
