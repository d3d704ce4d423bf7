// The toolbar of the table: the search, the filter by agent, the order on small screens, and how
// many VMs are shown.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useFleet } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import {
  COLUMNS,
  countFilters,
  DEFAULT_QUERY,
  isFiltered,
  ORDERS,
  type Query,
} from '../model/query.js';
import { formatQuantity, formatNumber } from '../model/quantity.js';
import { SORT_LABELS } from './column-labels.js';
import { Icon } from './icons.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly query: Query;
  readonly onQuery: (query: Query) => void;
}

export function Toolbar({ fleet, query, onQuery }: Props): JSX.Element {
  const shown = useFleet(fleet, ({ view }) => view.rows.length);
  const total = useFleet(fleet, ({ store }) => store.counters.total);
  const { sort, agent } = query;
  const reset = (): void => onQuery({ ...DEFAULT_QUERY, sort, descending: query.descending });
  return (
    <div class="toolbar">
      <Search query={query} onQuery={onQuery} />
      <div class="select">
        <select
          aria-label="Filter by agent"
          value={agent ?? ''}
          onChange={({ currentTarget: { value } }) =>
            onQuery({ ...query, agent: value === 'online' || value === 'away' ? value : undefined })
          }
        >
          <option value="">All agents</option>
          <option value="online">Agent online</option>
          <option value="away">Agent offline</option>
        </select>
      </div>
      <SortSelect query={query} onQuery={onQuery} />
      <button
        class="button quiet"
        type="button"
        disabled={!isFiltered(query)}
        data-filters={countFilters(query)}
        onClick={reset}
      >
        Clear filters
      </button>
      <p class="shown" role="status">
        {shown === total
          ? formatQuantity(total, 'VM')
          : `${formatNumber(shown)} of ${formatQuantity(total, 'VM')}`}
      </p>
    </div>
  );
}

/** The table is filtered when the user has not typed for this time. */
const DEBOUNCE_MS = 120;

function Search({ query, onQuery }: Omit<Props, 'fleet'>): JSX.Element {
  const [text, setText] = useState(query.search);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(query.search), [query.search]);
  useEffect(() => {
    if (text === query.search) return;
    const timer = setTimeout(() => onQuery({ ...query, search: text }), DEBOUNCE_MS);
    return () => clearTimeout(timer);
  }, [text, query]);
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      if (event.key !== '/' || isTyping(event.target)) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  return (
    <label class="search">
      <Icon name="search" />
      <span class="sr-only">Search hostname, person or status</span>
      <input
        ref={input}
        type="search"
        placeholder="Search  ( / )"
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
      />
    </label>
  );
}

/** The order. The attention has no column header, and small screens have none at all. */
function SortSelect({ query, onQuery }: Omit<Props, 'fleet'>): JSX.Element {
  const value = `${query.descending ? '-' : ''}${query.sort}`;
  const choose = (chosen: string): void => {
    const sort = ORDERS.find((known) => known === chosen.replace('-', '')) ?? DEFAULT_QUERY.sort;
    onQuery({ ...query, sort, descending: chosen.startsWith('-') });
  };
  return (
    <div class="select sort-select">
      <select
        aria-label="Order"
        value={value}
        onChange={({ currentTarget }) => choose(currentTarget.value)}
      >
        <option value="attention">Needs attention first</option>
        {COLUMNS.flatMap((column) => [
          <option key={column} value={column}>
            {SORT_LABELS[column]} ↑
          </option>,
          <option key={`-${column}`} value={`-${column}`}>
            {SORT_LABELS[column]} ↓
          </option>,
        ])}
      </select>
    </div>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select');
}
