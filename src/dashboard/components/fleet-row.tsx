// The row of one VM in the table. It is rendered again only when its record, position or relative
// times change; cells that have just changed are highlighted.

import { Component, type ComponentChildren, type JSX } from 'preact';
import { hasFailed } from '../model/danger.js';
import { labelDelivery } from '../model/delivery-labels.js';
import { STATUS_LABELS } from '../model/status-labels.js';
import { groupStatus } from '../model/fleet-counters.js';
import { formatAge, formatDateTime } from '../model/time.js';
import type { RowCell, DeliveryStage, VmRecord } from '../model/vm-record.js';
import { Icon } from './icons.js';

interface Props {
  readonly record: VmRecord;
  /** The record changes in place; a new revision causes a render. */
  readonly revision: number;
  readonly index: number;
  readonly startPx: number;
  readonly nowMs: number;
  readonly isActive: boolean;
  readonly isSelected: boolean;
}

/** Formats the element id of a VM's row. */
export const formatRowId = (hostname: string): string => `vm-row-${encodeURIComponent(hostname)}`;

export class FleetRow extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    return (Object.keys(next) as (keyof Props)[]).some((name) => next[name] !== this.props[name]);
  }

  override render({ record, index, startPx, nowMs, isActive, isSelected }: Props): JSX.Element {
    const { vm, hostname, changedAtMs } = record;
    return (
      <div
        class={`row ${isActive ? 'active' : ''} ${isSelected ? 'selected' : ''} ${record.dangers.length > 0 ? 'endangered' : ''}`}
        id={formatRowId(hostname)}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={isSelected}
        data-hostname={hostname}
        style={{ transform: `translateY(${startPx}px)` }}
      >
        <div class="cell cell-hostname" role="gridcell">
          <span class="text">{hostname}</span>
        </div>
        <HighlightedCell record={record} cell="status">
          <StatusMark record={record} />
        </HighlightedCell>
        <HighlightedCell record={record} cell="email">
          <span class="text">{vm.email ?? ''}</span>
        </HighlightedCell>
        <HighlightedCell record={record} cell="agent">
          <AgentMark record={record} nowMs={nowMs} />
        </HighlightedCell>
        <HighlightedCell record={record} cell="delivery">
          <DeliveryMark record={record} nowMs={nowMs} />
        </HighlightedCell>
        <div class="cell cell-changed" role="gridcell">
          {changedAtMs !== undefined && (
            <time
              title={formatDateTime(changedAtMs)}
              dateTime={new Date(changedAtMs).toISOString()}
            >
              {formatAge(changedAtMs, nowMs)}
            </time>
          )}
        </div>
      </div>
    );
  }
}

/**
 * The duration of the highlight in the styles. A row that is scrolled into sight later has none.
 */
const GLOW_MS = 1_600;

interface HighlightedCellProps {
  readonly record: VmRecord;
  readonly cell: RowCell;
  readonly children: ComponentChildren;
}

function HighlightedCell({ record, cell, children }: HighlightedCellProps): JSX.Element {
  const { count, atMs } = record.cells[cell];
  // Two names for the same animation: a changed name restarts it.
  const glow = Date.now() - atMs < GLOW_MS ? (count % 2 === 0 ? 'glow-even' : 'glow-odd') : '';
  return (
    <div class={`cell cell-${cell} ${glow}`} role="gridcell">
      {children}
    </div>
  );
}

export function StatusMark({ record }: { readonly record: VmRecord }): JSX.Element {
  const status = groupStatus(record);
  return (
    <span class={status === 'failed' ? 'danger-mark' : `status tone-${status}`}>
      <Icon name={status} />
      {status === 'other' ? record.vm.status : STATUS_LABELS[status]}
    </span>
  );
}

interface MarkProps {
  readonly record: VmRecord;
  readonly nowMs: number;
}

export function AgentMark({ record, nowMs }: MarkProps): JSX.Element {
  const { presence, online, sinceMs, dangers } = record;
  const isMissed = dangers.includes('away');
  if (sinceMs === undefined && !online)
    return isMissed ? <DangerMark text="Never seen" /> : <span class="faint">never seen</span>;
  const since = sinceMs === undefined ? '' : ` ${formatAge(sinceMs, nowMs)}`;
  if (isMissed) return <DangerMark text="Offline" figure={since.trim()} />;
  return (
    <span
      class={`agent ${online ? 'tone-online' : 'faint'}`}
      title={sinceMs === undefined ? undefined : `since ${formatDateTime(sinceMs)}`}
    >
      <Icon name={online ? 'online' : 'away'} />
      <span class="text">
        {online ? 'online' : 'offline'}
        <span class="since">{since}</span>
      </span>
      {presence?.duplicate === true && <DangerMark text="Duplicate" />}
    </span>
  );
}

interface DangerMarkProps {
  readonly text: string;
  readonly figure?: string;
}

/** A danger: a colour, a shape and a word. */
function DangerMark({ text, figure = '' }: DangerMarkProps): JSX.Element {
  return (
    <span class="danger-mark">
      <Icon name="failed" />
      <span class="text">{text}</span>
      {figure !== '' && <span class="figure">{figure}</span>}
    </span>
  );
}

const STEPS: readonly DeliveryStage[] = ['made', 'pushed', 'acknowledged', 'ended'];

export function DeliveryMark({ record, nowMs }: MarkProps): JSX.Element | null {
  const { stage, waiting, dangers, delivery } = record;
  if (stage === 'none') return null;
  const { text, figure } = labelDelivery(record, nowMs);
  if (dangers.includes('waiting') || dangers.includes('command-failed'))
    return <DangerMark text={text} figure={figure} />;
  const reached = STEPS.indexOf(stage);
  return (
    <span class={`delivery ${waiting ? 'tone-waiting' : ''}`}>
      {hasFailed(delivery) ? (
        <Icon name="failed" />
      ) : (
        <span class="steps" aria-hidden="true">
          {STEPS.slice(0, 3).map((step, index) => (
            <i key={step} class={index <= reached ? 'reached' : ''} />
          ))}
        </span>
      )}
      <span class="text">{text}</span>
      {figure !== '' && <span class="figure">{figure}</span>}
    </span>
  );
}
