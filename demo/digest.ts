/** Documents as digests: short enough to send between processes, and different if the documents are. */
import { hash } from 'node:crypto';
import type { App, Document } from 'tidemark';
import { services, users } from './domain.ts';

export interface DocumentIds {
  readonly users: readonly string[];
  readonly services: readonly string[];
}

/** Users first, then services, each in the order of the ids. */
export async function digestsOf(app: Pick<App, 'get'>, ids: DocumentIds): Promise<readonly string[]> {
  const documents = [...(await app.get(users, ids.users)), ...(await app.get(services, ids.services))];
  return documents.map((document) => digestOf(document));
}

/** A document of either collection. */
export type AnyDocument = Omit<Document<unknown>, 'state'> & { readonly state: object };

export function digestOf({ collection, id, version, changed, exists, state }: AnyDocument): string {
  const sorted = Object.entries(state).sort(([one], [other]) => (one < other ? -1 : 1));
  return hash('sha256', JSON.stringify([collection, id, version, changed, exists, sorted]), 'base64url');
}

/** Ids that fit into one message, one page after the other. */
export function* pages({ users, services }: DocumentIds, size = 500): Generator<DocumentIds> {
  for (let at = 0; at < users.length; at += size) yield { users: users.slice(at, at + size), services: [] };
  for (let at = 0; at < services.length; at += size) yield { users: [], services: services.slice(at, at + size) };
}
