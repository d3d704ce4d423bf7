// A shell command with a button that copies it.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

export function CopyableCommand({ text }: { readonly text: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard.writeText(text).then(() => setCopied(true));
  };
  // Browsers allow the clipboard only for HTTPS pages and localhost.
  const canCopy = 'clipboard' in navigator;
  return (
    <div class="command">
      <code tabIndex={0}>{text}</code>
      {canCopy && (
        <button class="button quiet" type="button" onClick={copy}>
          {copied ? 'Copied' : 'Copy'}
          <span class="sr-only"> the command</span>
        </button>
      )}
    </div>
  );
}
