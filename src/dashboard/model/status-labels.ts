// The labels of the statuses. A status outside of these groups is shown as it is.

import type { StatusGroup } from './fleet-counters.js';

export const STATUS_LABELS: Readonly<Record<StatusGroup, string>> = {
  available: 'Available',
  'in-use': 'In use',
  failed: 'Failed',
  other: 'Other',
};

/** Formats a status within a sentence: `in use`. */
export const formatStatus = (status: string | null): string =>
  status === 'in-use' ? 'in use' : (status ?? 'none');
