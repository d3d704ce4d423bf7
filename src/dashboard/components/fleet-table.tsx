// The table of VMs, with virtual scrolling. The arrow keys move the active row, and Enter opens its
// drawer.

import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useFleet, useFleetTime, useMedia } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import { COLUMNS, DEFAULT_QUERY, isFiltered, sortBy, type Query } from '../model/query.js';
import type { VmRecord } from '../model/vm-record.js';
import { useVirtualRows, type VirtualRows } from '../use-virtual-rows.js';
import { COLUMN_LABELS } from './column-labels.js';
import { FleetRow, formatRowId } from './fleet-row.js';
import { Icon } from './icons.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly query: Query;
  readonly selected: string | undefined;
  readonly onQuery: (query: Query) => void;
  readonly onSelect: (hostname: string) => void;
}

/** On smaller screens a row is a card of three lines, and the whole page scrolls. */
const CARDS = '(max-width: 58rem), (max-height: 34rem)';
const ROW_REM = 2.75;
const CARD_REM = 6;

export function FleetTable({ fleet, query, selected, onQuery, onSelect }: Props): JSX.Element {
  const rows = useFleet(fleet, ({ view }) => view.rows);
  useFleet(fleet, ({ revision }) => revision);
  const isCards = useMedia(CARDS);
  const grid = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const frame = useScrollFrame(isCards, grid, body);
  const rowHeightPx = frame.remPx * (isCards ? CARD_REM : ROW_REM);
  const virtual = useVirtualRows({ ...frame, count: rows.length, rowHeightPx });
  const { active, press, choose } = useActiveRow(rows, virtual, onSelect);
  const drawn = virtual.indexes.flatMap(({ index, startPx }) => {
    const record = rows[index];
    return record === undefined ? [] : [{ record, index, startPx }];
  });
  const isActiveDrawn = drawn.some(({ record }) => record.hostname === active);
  return (
    <div
      class={`table ${isCards ? 'cards' : ''}`}
      id="fleet"
      role="grid"
      aria-label="VMs"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      aria-activedescendant={
        isActiveDrawn && active !== undefined ? formatRowId(active) : undefined
      }
      tabIndex={0}
      ref={grid}
      onKeyDown={press}
    >
      <Head query={query} onQuery={onQuery} isHidden={isCards} />
      <div
        class="table-body"
        role="rowgroup"
        ref={body}
        style={{ height: `${virtual.heightPx}px` }}
        onClick={choose}
      >
        <Rows fleet={fleet} drawn={drawn} active={active} selected={selected} />
      </div>
      {rows.length === 0 && <NoMatch query={query} onQuery={onQuery} />}
    </div>
  );
}

interface DrawnRow {
  readonly record: VmRecord;
  readonly index: number;
  readonly startPx: number;
}

interface RowsProps {
  readonly fleet: LiveFleet;
  readonly drawn: readonly DrawnRow[];
  readonly active: string | undefined;
  readonly selected: string | undefined;
}

/** The rows in sight; each is rendered again only if it has changed. */
function Rows({ fleet, drawn, active, selected }: RowsProps): JSX.Element {
  const nowMs = useFleetTime(fleet);
  return (
    <>
      {drawn.map(({ record, index, startPx }) => (
        <FleetRow
          key={record.hostname}
          record={record}
          revision={record.revision}
          index={index}
          startPx={startPx}
          nowMs={nowMs}
          isActive={record.hostname === active}
          isSelected={record.hostname === selected}
        />
      ))}
    </>
  );
}

/** The active row, and the handlers that move it by keyboard and open drawers. */
function useActiveRow(
  rows: readonly VmRecord[],
  virtual: VirtualRows,
  onSelect: (hostname: string) => void,
) {
  const [active, setActive] = useState<string | undefined>(undefined);
  const activeIndex = rows.findIndex(({ hostname }) => hostname === active);
  const move = (index: number): void => {
    const row = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    if (row === undefined) return;
    setActive(row.hostname);
    virtual.reveal(rows.indexOf(row));
  };
  const press = (event: KeyboardEvent): void => {
    const to = findTargetIndex(event.key, activeIndex, rows.length, virtual.pageSize);
    if (to !== undefined) move(to);
    else if (event.key === 'Enter' && active !== undefined) onSelect(active);
    else return;
    event.preventDefault();
  };
  const choose = (event: Event): void => {
    const hostname = findHostname(event.target);
    if (hostname === undefined) return;
    setActive(hostname);
    onSelect(hostname);
  };
  return { active, press, choose };
}

/**
 * Measures what scrolls, the table or (with cards) the page, and where the rows begin in it.
 */
function useScrollFrame(
  isCards: boolean,
  grid: { readonly current: HTMLDivElement | null },
  body: { readonly current: HTMLDivElement | null },
) {
  const [frame, setFrame] = useState({
    scroller: undefined as HTMLElement | undefined,
    marginPx: 0,
    coveredPx: 0,
    remPx: 16,
  });
  useLayoutEffect(() => {
    const measure = (): void => {
      const [table, rows] = [grid.current, body.current];
      const page = table?.closest('.stage');
      if (table === null || rows === null || !(page instanceof HTMLElement)) return;
      const scroller = isCards ? page : table;
      const topPx = rows.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
      const headPx = isCards ? 0 : topPx + scroller.scrollTop;
      setFrame({
        scroller,
        marginPx: Math.round(topPx + scroller.scrollTop),
        coveredPx: headPx,
        remPx: parseFloat(getComputedStyle(document.documentElement).fontSize),
      });
    };
    measure();
    const resized = new ResizeObserver(measure);
    resized.observe(document.documentElement);
    return () => resized.disconnect();
  }, [isCards]);
  return frame;
}

interface HeadProps {
  readonly query: Query;
  readonly onQuery: (query: Query) => void;
  readonly isHidden: boolean;
}

function Head({ query, onQuery, isHidden }: HeadProps): JSX.Element {
  return (
    <div class="table-head" role="rowgroup" hidden={isHidden}>
      <div class="row head-row" role="row" aria-rowindex={1}>
        {COLUMNS.map((column) => {
          const isSorted = query.sort === column;
          const order = query.descending ? 'descending' : 'ascending';
          return (
            <div
              key={column}
              class={`cell cell-${column}`}
              role="columnheader"
              aria-sort={isSorted ? order : 'none'}
            >
              <button type="button" onClick={() => onQuery(sortBy(query, column))}>
                {COLUMN_LABELS[column]}
                <span class={isSorted ? 'sorted' : 'unsorted'}>
                  <Icon name={isSorted && query.descending ? 'down' : 'up'} />
                </span>
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function NoMatch({ query, onQuery }: Omit<HeadProps, 'isHidden'>): JSX.Element {
  return (
    <div class="empty small" role="row">
      <div role="gridcell">
        <p>No VM matches the filters. Matching VMs will appear here.</p>
        {isFiltered(query) && (
          <button class="button" type="button" onClick={() => onQuery(DEFAULT_QUERY)}>
            Show all VMs
          </button>
        )}
      </div>
    </div>
  );
}

/** Finds the index that a key moves to; undefined for other keys. */
function findTargetIndex(
  key: string,
  index: number,
  count: number,
  page: number,
): number | undefined {
  switch (key) {
    case 'ArrowDown':
      return index + 1;
    case 'ArrowUp':
      return index === -1 ? count - 1 : index - 1;
    case 'PageDown':
      return index + page;
    case 'PageUp':
      return index - page;
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return undefined;
  }
}

function findHostname(target: EventTarget | null): string | undefined {
  const row = target instanceof Element ? target.closest('[data-hostname]') : null;
  return row instanceof HTMLElement ? row.dataset.hostname : undefined;
}
