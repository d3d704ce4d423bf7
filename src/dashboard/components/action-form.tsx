// The form of one action: its warning, its fields, and for a deletion the hostname to confirm.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { WatchedVm } from '../../client/index.js';
import { looksLikeEmail } from '../model/email-check.js';
import { ACTIONS, type ActionKind, type ActionValues } from './action-kinds.js';
import { TextField } from './text-field.js';

interface Props {
  readonly kind: ActionKind;
  /** The row as the user saw it when they opened the form. */
  readonly base: WatchedVm;
  readonly isBusy: boolean;
  readonly onSubmit: (values: ActionValues) => void;
  readonly onCancel: () => void;
}

export function ActionForm({ kind, base, isBusy, onSubmit, onCancel }: Props): JSX.Element {
  const [email, setEmail] = useState('');
  const [command, setCommand] = useState('');
  const [typed, setTyped] = useState('');
  /** The email that the user was asked about. */
  const [doubted, setDoubted] = useState<string | undefined>(undefined);
  const { name, warning } = ACTIONS[kind];
  const values = { email: email.trim(), command };
  const isReady =
    (kind !== 'assign' || values.email !== '') && (kind !== 'delete' || typed === base.hostname);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!isReady || isBusy) return;
    if (kind === 'assign' && !looksLikeEmail(values.email)) setDoubted(values.email);
    else onSubmit(values);
  };
  const text = warning(base, values);
  return (
    <form onSubmit={submit}>
      {text !== '' && <p class="action-warning">{text}</p>}
      {kind === 'assign' && (
        <>
          <TextField label="Person (email)" value={email} onValue={setEmail} />
          {doubted !== undefined && doubted === values.email && (
            <div class="note wrong" role="alert">
              <p>{doubted} does not look like an email address.</p>
              <button class="button" type="button" onClick={() => onSubmit(values)}>
                Use anyway
              </button>
            </div>
          )}
          <TextField label="Command (optional)" value={command} lines={3} onValue={setCommand} />
        </>
      )}
      {kind === 'delete' && (
        <TextField label={`Type ${base.hostname} to confirm`} value={typed} onValue={setTyped} />
      )}
      <div class="action-buttons">
        <button
          class={`button ${kind === 'delete' ? 'danger' : 'primary'}`}
          type="submit"
          disabled={!isReady || isBusy}
        >
          {isBusy ? 'Working…' : name(base)}
        </button>
        <button class="button quiet" type="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}
