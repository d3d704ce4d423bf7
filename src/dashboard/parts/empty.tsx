// No VM yet: what there will be, and the command that starts it.

import type { JSX } from 'preact';
import { vmPath } from '../../protocol/paths.js';
import { gatewayUrl } from '../session.js';
import { Command } from './command.js';

export function EmptyFleet({ isAdmin }: { readonly isAdmin: boolean }): JSX.Element {
  const put = `curl -X PUT -H "Authorization: Bearer $TOKEN" ${gatewayUrl()}${vmPath('vm-1')}`;
  return (
    <div class="empty" id="fleet" tabIndex={-1}>
      <svg class="empty-mark" viewBox="0 0 120 72" aria-hidden="true" focusable="false">
        <rect x="8" y="14" width="46" height="32" rx="6" />
        <rect x="66" y="26" width="46" height="32" rx="6" />
        <path d="M54 30h6q6 0 6 6v6" />
        <circle cx="31" cy="30" r="5" />
      </svg>
      <h2>No VMs yet</h2>
      <p>
        {isAdmin
          ? 'A VM appears here the moment it is registered. With an admin’s token:'
          : 'A VM appears here the moment an admin or its agent registers it.'}
      </p>
      {isAdmin && <Command text={put} />}
      <p>To see a whole workshop live, on a machine of your own:</p>
      <Command text="lablink-gateway demo" />
    </div>
  );
}
