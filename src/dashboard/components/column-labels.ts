// The labels of the table's columns.

import type { Column } from '../model/query.js';

export const COLUMN_LABELS: Readonly<Record<Column, string>> = {
  hostname: 'Hostname',
  status: 'Status',
  email: 'Person',
  agent: 'Agent',
  delivery: 'Delivery',
  changed: 'Changed',
};
