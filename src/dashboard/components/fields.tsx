// All that is known of one VM: its row, column by column, and its agent.

import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { readColumns } from '../model/columns.js';
import { formatAge, formatDateTime, parseTime } from '../model/time.js';
import type { VmRecord } from '../model/vm-record.js';
import { DeliveryMark } from './fleet-row.js';

interface Props {
  readonly record: VmRecord;
  readonly nowMs: number;
}

/** Shown by name; whatever else a row has follows as it is. */
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
      <Field name="Person">{vm.email ?? <span class="faint">nobody</span>}</Field>
      {stage !== 'none' && (
        <Field name="Delivery">
          <DeliveryMark record={record} nowMs={nowMs} />
        </Field>
      )}
      {vm.crd_command !== undefined && (
        <Field name="Command">
          <Secret key={vm.crd_command} text={vm.crd_command} />
        </Field>
      )}
      {presence?.duplicate === true && (
        <Field name="Warning">Agents of this hostname are online on more than one gateway.</Field>
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

/** A command may hold somebody's code, and the page may hang on a wall. */
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

export function Timestamp({ text, nowMs }: MomentProps): JSX.Element {
  const timeMs = parseTime(text);
  if (timeMs === undefined) return <span class="faint">{text ?? 'not known'}</span>;
  const since = formatAge(timeMs, nowMs);
  return (
    <time dateTime={new Date(timeMs).toISOString()}>
      {formatDateTime(timeMs)}{' '}
      <span class="faint">· {since === 'now' ? since : `${since} ago`}</span>
    </time>
  );
}
