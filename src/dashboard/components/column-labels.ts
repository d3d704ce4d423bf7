// The labels of the table's columns and orders.

import type { Column, Order } from '../model/query.js';

export const COLUMN_LABELS: Readonly<Record<Column, string>> = {
  hostname: 'Hostname',
  status: 'Status',
  email: 'Person',
  agent: 'Agent',
  delivery: 'Delivery',
  changed: 'Changed',
};

export const SORT_LABELS: Readonly<Record<Order, string>> = {
  ...COLUMN_LABELS,
  attention: 'Needs attention',
};
