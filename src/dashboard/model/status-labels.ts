// Statuses as people read them. One that nobody here knows is shown as it is.

import type { StatusGroup } from './fleet-counters.js';

export const STATUS_LABELS: Readonly<Record<StatusGroup, string>> = {
  available: 'Available',
  'in-use': 'In use',
  failed: 'Failed',
  other: 'Other',
};
