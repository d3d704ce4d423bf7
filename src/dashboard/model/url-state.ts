// What is looked at, as the URL's fragment: it survives a reload, can be sent to a colleague, and is never told to a
// server. A token may come in it too, and is taken out at once.

import { COLUMNS, DEFAULT_QUERY, type Query } from './query.js';
import { STATUS_GROUPS } from './fleet-counters.js';

export interface UrlState {
  readonly query: Query;
  /** The VM whose drawer is open. */
  readonly selected: string | undefined;
}

/** Reads a fragment, with its `#` or without. What it does not know is passed over. */
export function parseUrlState(fragment: string): UrlState {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  const asked = parameters.get('status')?.split(',') ?? [];
  const sort = parameters.get('sort') ?? DEFAULT_QUERY.sort;
  const agent = parameters.get('agent');
  return {
    query: {
      statuses: STATUS_GROUPS.filter((status) => asked.includes(status)),
      agent: agent === 'online' || agent === 'away' ? agent : undefined,
      waiting: parameters.has('waiting'),
      search: parameters.get('q') ?? '',
      sort: COLUMNS.find((column) => column === sort.replace('-', '')) ?? DEFAULT_QUERY.sort,
      descending: sort.startsWith('-'),
    },
    selected: parameters.get('vm') ?? undefined,
  };
}

/** The fragment, with its `#`; empty where nothing differs from what is usual. */
export function formatUrlState({ query, selected }: UrlState): string {
  const parameters = new URLSearchParams();
  const { statuses, agent, waiting, search, sort, descending } = query;
  if (statuses.length > 0) parameters.set('status', statuses.join(','));
  if (agent !== undefined) parameters.set('agent', agent);
  if (waiting) parameters.set('waiting', '');
  if (search !== '') parameters.set('q', search);
  if (sort !== DEFAULT_QUERY.sort || descending)
    parameters.set('sort', (descending ? '-' : '') + sort);
  if (selected !== undefined) parameters.set('vm', selected);
  const text = parameters.toString();
  return text === '' ? '' : `#${text}`;
}

/** The token in a fragment, and the fragment without it. */
export function extractToken(
  fragment: string,
): { readonly token: string; readonly rest: string } | undefined {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  const token = parameters.get('token');
  if (token === null) return undefined;
  parameters.delete('token');
  const rest = parameters.toString();
  return { token: token.trim(), rest: rest === '' ? '' : `#${rest}` };
}
