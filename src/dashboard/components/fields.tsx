// The columns of one VM's row, and its agent's presence.

import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { readColumns } from '../model/columns.js';
import { explainStage } from '../model/delivery-labels.js';
import { formatAge, formatDateTime, parseTime } from '../model/time.js';
import type { VmRecord } from '../model/vm-record.js';
import { DeliveryMark } from './fleet-row.js';

interface Props {
  readonly record: VmRecord;
  readonly nowMs: number;
}

/** The columns with a label; other columns follow under their own names. */
const KNOWN = [
  'id',
  'hostname',
  'email',
  'status',
  'crd_command',
  'created_at',
  'updated_at',
  'version',
  'assignment_id',
];

export function Fields({ record, nowMs }: Props): JSX.Element {
  const { vm, presence, stage } = record;
  const more = [...readColumns(vm)].filter(([name]) => !KNOWN.includes(name));
  return (
    <dl class="fields">
      <Field name="Person">{vm.email ?? <span class="faint">none</span>}</Field>
      {stage !== 'none' && (
        <Field name="Delivery">
          <DeliveryMark record={record} nowMs={nowMs} />
          <p class="faint">{explainStage(record)}</p>
        </Field>
      )}
      {vm.crd_command !== undefined && (
        <Field name="Command">
          <Secret key={vm.crd_command} text={vm.crd_command} />
        </Field>
      )}
      {presence?.duplicate === true && (
        <Field name="Warning">
          Agents with this hostname are connected to more than one gateway.
        </Field>
      )}
      <Field name="Changed">
        <Timestamp text={vm.updated_at} nowMs={nowMs} />
      </Field>
      <Field name="Created">
        <Timestamp text={vm.created_at} nowMs={nowMs} />
      </Field>
      <Field name="Assignment">
        {vm.assignment_id === null ? (
          <span class="faint">none</span>
        ) : (
          <code>{vm.assignment_id}</code>
        )}
      </Field>
      <Field name="Version">{vm.version ?? 'none'}</Field>
      <Field name="Id">{vm.id}</Field>
      {more.map(([name, value]) => (
        <Field key={name} name={name}>
          <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
        </Field>
      ))}
    </dl>
  );
}

interface FieldProps {
  readonly name: string;
  readonly children: ComponentChildren;
}

function Field({ name, children }: FieldProps): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/**
 * Hides the command until a click: it may contain a one-time code, and the screen may be public.
 */
function Secret({ text }: { readonly text: string | null }): JSX.Element {
  const [isShown, setShown] = useState(false);
  if (text === null) return <span class="faint">none</span>;
  if (isShown) return <code class="secret">{text}</code>;
  return (
    <button class="link" type="button" onClick={() => setShown(true)}>
      Show the command
    </button>
  );
}

interface MomentProps {
  readonly text: string | null;
  readonly nowMs: number;
}

/** A time with its age; the text itself if it is no time. */
export function Timestamp({ text, nowMs }: MomentProps): JSX.Element {
  const timeMs = parseTime(text);
  if (timeMs === undefined) return <span class="faint">{text ?? 'unknown'}</span>;
  const since = formatAge(timeMs, nowMs);
  return (
    <time dateTime={new Date(timeMs).toISOString()}>
      {formatDateTime(timeMs)}{' '}
      <span class="faint">· {since === 'now' ? since : `${since} ago`}</span>
    </time>
  );
}
