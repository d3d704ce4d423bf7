// The form of one action: its warning, its fields, and for a deletion the hostname to confirm.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { WatchedVm } from '../../client/index.js';
import { ACTIONS, type ActionKind, type ActionValues } from './action-kinds.js';

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
  const { name, warning } = ACTIONS[kind];
  const isReady =
    (kind !== 'assign' || email.trim() !== '') && (kind !== 'delete' || typed === base.hostname);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (isReady && !isBusy) onSubmit({ email: email.trim(), command });
  };
  return (
    <form onSubmit={submit}>
      <p class="action-warning">{warning(base)}</p>
      {kind === 'assign' && (
        <>
          <Field label="Person (email)" value={email} onValue={setEmail} />
          <Field label="Command (optional)" value={command} onValue={setCommand} />
        </>
      )}
      {kind === 'delete' && (
        <Field label={`Type ${base.hostname} to confirm`} value={typed} onValue={setTyped} />
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

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

function Field({ label, value, onValue }: FieldProps): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        autocomplete="off"
        spellcheck={false}
        value={value}
        onInput={({ currentTarget }) => onValue(currentTarget.value)}
      />
    </label>
  );
}
