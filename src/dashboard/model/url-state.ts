// The state of the view as a URL fragment: it survives a reload, can be sent to a colleague, and is
// never sent to a server.

import { DEFAULT_QUERY, ORDERS, type Query } from './query.js';
import { STATUS_GROUPS } from './fleet-counters.js';

export interface UrlState {
  readonly query: Query;
  /** The VM whose drawer is open. */
  readonly selected: string | undefined;
}

/** Parses a fragment, with or without its `#`. Unknown parameters and values are ignored. */
export function parseUrlState(fragment: string): UrlState {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  const statuses = parameters.get('status')?.split(',') ?? [];
  const sort = parameters.get('sort') ?? DEFAULT_QUERY.sort;
  const agent = parameters.get('agent');
  return {
    query: {
      statuses: STATUS_GROUPS.filter((status) => statuses.includes(status)),
      agent: agent === 'online' || agent === 'away' ? agent : undefined,
      waiting: parameters.has('waiting'),
      attention: parameters.has('attention'),
      search: parameters.get('q') ?? '',
      sort: ORDERS.find((known) => known === sort.replace('-', '')) ?? DEFAULT_QUERY.sort,
      descending: sort.startsWith('-'),
    },
    selected: parameters.get('vm') ?? undefined,
  };
}

/** Formats the fragment, with its `#`; empty for the default state. */
export function formatUrlState({ query, selected }: UrlState): string {
  const parameters = new URLSearchParams();
  const { statuses, agent, waiting, attention, search, sort, descending } = query;
  if (statuses.length > 0) parameters.set('status', statuses.join(','));
  if (agent !== undefined) parameters.set('agent', agent);
  if (waiting) parameters.set('waiting', '');
  if (attention) parameters.set('attention', '');
  if (search !== '') parameters.set('q', search);
  if (sort !== DEFAULT_QUERY.sort || descending)
    parameters.set('sort', (descending ? '-' : '') + sort);
  if (selected !== undefined) parameters.set('vm', selected);
  const text = parameters.toString();
  return text === '' ? '' : `#${text}`;
}
