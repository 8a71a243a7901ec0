/** The conformance suite, on a real server. */
import { testDatabase } from '../../../test/support/postgres.ts';
import { storeConformance } from '../../testing/conformance/index.ts';

const database = testDatabase();

storeConformance('postgres', (options) => database.store(options));
