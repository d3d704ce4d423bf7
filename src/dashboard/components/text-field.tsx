// A labelled text field, of one line or more. The browser neither completes nor corrects its text.

import type { JSX } from 'preact';

interface Props {
  readonly label: string;
  readonly value: string;
  /** How many lines are in sight; without it, the text has one line. */
  readonly lines?: number;
  readonly onValue: (value: string) => void;
}

export function TextField({ label, value, lines, onValue }: Props): JSX.Element {
  const shared = { autocomplete: 'off', spellcheck: false, value } as const;
  return (
    <label class="field">
      <span>{label}</span>
      {lines === undefined ? (
        <input
          type="text"
          {...shared}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      ) : (
        <textarea
          rows={lines}
          {...shared}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      )}
    </label>
  );
}
