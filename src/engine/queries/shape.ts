/** The shape of a query: its fields and operators without values, so that status can name its kind. */
import type { Question } from './question.ts';
import type { UnservedQuery } from './unserved.ts';
import type { Filter } from './where.ts';

/** Longer ones are cut, in UTF-16 code units. */
const SHAPE_MAX = 500;

export function shapeOf({
  collection,
  filter,
  order,
}: Pick<Question, 'collection' | 'filter' | 'order'>): Pick<UnservedQuery, 'collection' | 'where' | 'orderBy'> {
  const orderBy = order.fields.map(({ path, direction }) => `${path} ${direction}`).join(', ');
  return { collection: collection.name, where: cut(textOf(filter)), orderBy: cut(orderBy) };
}

const cut = (text: string): string => text.slice(0, SHAPE_MAX).toWellFormed();

function textOf(filter: Filter): string {
  switch (filter.kind) {
    case 'all':
      return joined(filter.filters, ' AND ');
    case 'any':
      return `(${joined(filter.filters, ' OR ')})`;
    case 'not':
      return `NOT (${textOf(filter.filter)})`;
    default:
      return `${filter.path} ${filter.kind}`;
  }
}

/** Each part once: a list of a hundred ids is the same kind of query as a list of two. */
function joined(filters: readonly Filter[], by: string): string {
  return [...new Set(filters.map(textOf))].join(by);
}
