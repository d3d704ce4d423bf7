// Statuses as people read them. One that nobody here knows is shown as it is.

import type { Status } from './tally.js';

export const STATUS_WORDS: Readonly<Record<Status, string>> = {
  available: 'Available',
  'in-use': 'In use',
  failed: 'Failed',
  other: 'Other',
};
