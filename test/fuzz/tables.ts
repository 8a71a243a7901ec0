/** Damages a log's tables by plain SQL: any value in any column, and tables made otherwise than they should be. */
/* eslint-disable oxc/no-map-spread -- few objects */
/* eslint-disable unicorn/no-useless-spread -- grouped by line */
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { TABLES } from '../support/tables.ts';

/** Values as SQL writes them: of every type of SQLite's, at the ends of their ranges, and of no well-formed text. */
const VALUES = [
  ...['NULL', '0', '1', '2', '3', '-1', '1000', '2147483648', '4294967296', '9007199254740991', '9007199254740992'],
  ...['9223372036854775807', '-9223372036854775808', '1.5', '-0.0', '1e300', '9e999', '-9e999', '0.1'],
  ...[`''`, `'x'`, `'1'`, `'[]'`, `'[1,1]'`, `'[1,-1]'`, `'{}'`, `'null'`, `'{"type":"X"}'`, `'{"__proto__":1}'`],
  ...[`'{"fields":["service_id"]}'`, `'{"fields":"x"}'`, `'{"types":{"SERVICE_BOUGHT":["a[].b"]}}'`, `'{"types":7}'`],
  ...[`char(0)`, `'a' || char(0) || 'b'`, `CAST(x'ff' AS TEXT)`, `CAST(x'edb080' AS TEXT)`, `'\ufeff'`, `'ＡＢＣ'`],
  ...[`x''`, `x'00'`, 'zeroblob(31)', 'zeroblob(32)', 'zeroblob(33)', 'randomblob(32)', `x'31'`],
  `'{"a":' || replace(hex(zeroblob(2000)), '00', '[') || '1'`,
  `'{"a":' || replace(hex(zeroblob(6000)), '00', '[') || '1' || replace(hex(zeroblob(6000)), '00', ']') || '}'`,
  `replace(hex(zeroblob(200000)), '0', 'z')`,
];

export interface Damage {
  readonly table: string;
  readonly column: string;
  readonly value: string;
  /** The n-th row, modulo their number; undefined for all. */
  readonly row: number | undefined;
  /** Made again first, without types and other keys (`loose`), also without its primary key (`bare`). */
  readonly made: 'as it is' | 'loose' | 'bare';
}

const columns = Object.entries(TABLES).flatMap(([table, { key, columns: others }]) =>
  [...key, ...others].map((column) => ({ table, column })),
);

export const damages: fc.Arbitrary<Damage> = fc
  .record({
    at: fc.constantFrom(...columns),
    value: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...VALUES) }, fc.integer().map(String)),
    row: fc.option(fc.nat(200), { nil: undefined, freq: 4 }),
    made: fc.constantFrom('as it is', 'as it is', 'loose', 'bare'),
  })
  .map(({ at, ...rest }) => ({ ...at, ...rest }));

/** Tables that are missing, or are something else. Found at opening or by verify, whatever they hold. */
export const REMADE: readonly string[] = [
  ...Object.keys(TABLES).flatMap((table) => [
    `DROP TABLE ${table}`,
    `ALTER TABLE ${table} RENAME TO gone`,
    `ALTER TABLE ${table} ADD COLUMN more TEXT`,
    `ALTER TABLE ${table} ADD COLUMN more INTEGER NOT NULL DEFAULT 7`,
    `ALTER TABLE ${table} RENAME COLUMN ${TABLES[table]!.columns.at(-1)} TO other`,
    `ALTER TABLE ${table} RENAME TO kept; CREATE VIEW ${table} AS SELECT * FROM kept`,
    `${remake(table, 'loose')}`,
    `${remake(table, 'bare')}`,
    `CREATE TRIGGER meddler AFTER INSERT ON ${table} BEGIN SELECT RAISE(IGNORE); END`,
    `CREATE TRIGGER eraser BEFORE INSERT ON ${table} BEGIN DELETE FROM events; END`,
  ]),
  'PRAGMA user_version = 0',
  'PRAGMA user_version = -1',
  'PRAGMA user_version = 99',
  'PRAGMA application_id = 1',
  'ALTER TABLE events DROP COLUMN json',
  'ALTER TABLE commits DROP COLUMN hash',
  'ALTER TABLE commits DROP COLUMN actor',
];

function remake(table: string, made: 'loose' | 'bare'): string {
  const { key: keys, columns: others } = TABLES[table]!;
  const names = [...keys, ...others].join(', ');
  const key = made === 'loose' ? `, PRIMARY KEY (${keys.join(', ')})` : '';
  return `ALTER TABLE ${table} RENAME TO kept; CREATE TABLE ${table} (${names}${key});
    INSERT INTO ${table} SELECT ${names} FROM kept; DROP TABLE kept`;
}

/** Carries it out; false if SQLite doesn't let it, or it changes nothing. */
export function damage(file: string, { table, column, value, row, made }: Damage): boolean {
  const database = new DatabaseSync(file, { returnArrays: true });
  try {
    if (made !== 'as it is') database.exec(remake(table, made));
    const rows = (database.prepare(`SELECT count(*) FROM ${table}`).get() as unknown as [number])[0];
    const key = TABLES[table]!.key.join(', ');
    const where =
      row === undefined
        ? ''
        : ` WHERE (${key}) = (SELECT ${key} FROM ${table} ORDER BY ${key} LIMIT 1 OFFSET ${row % rows})`;
    return database.prepare(`UPDATE ${table} SET ${column} = ${value}${where}`).run().changes !== 0;
  } catch {
    return false;
  } finally {
    database.close();
  }
}
