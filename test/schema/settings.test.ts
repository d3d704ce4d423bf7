// Settings that a role or a database may have: writes go on, and each change is recorded and sent
// as always.

import { onEveryServer } from './servers.js';
import { openSession } from './session.js';
import { writeAll } from './write-all.js';

const SETTINGS: readonly string[] = [
  `search_path = ''`,
  `search_path = pg_temp`,
  `"DateStyle" = 'German'`,
  `"DateStyle" = 'SQL, DMY'`,
  `"IntervalStyle" = sql_standard`,
  `"TimeZone" = 'America/St_Johns'`,
  `timezone_abbreviations = 'India'`,
  `extra_float_digits = -15`,
  `bytea_output = escape`,
  `client_encoding = 'LATIN1'`,
  `client_encoding = 'SQL_ASCII'`,
  `lc_numeric = 'C'`,
  `lc_monetary = 'C'`,
  `quote_all_identifiers = on`,
  `standard_conforming_strings = off`,
  `backslash_quote = off`,
  `array_nulls = off`,
  `transform_null_equals = on`,
  `xmloption = document`,
  `row_security = off`,
  `check_function_bodies = off`,
  `session_replication_role = replica`,
  `default_transaction_isolation = 'serializable'`,
  `default_transaction_deferrable = on`,
  `default_transaction_read_only = off`,
  `plpgsql.extra_errors = 'all'`,
  `plpgsql.extra_warnings = 'all'`,
  `plpgsql.variable_conflict = 'error'`,
  `plpgsql.variable_conflict = 'use_column'`,
  `plpgsql.print_strict_params = on`,
  `plan_cache_mode = force_custom_plan`,
  `plan_cache_mode = force_generic_plan`,
  `enable_hashjoin = off`,
  `enable_mergejoin = off`,
  `enable_indexscan = off`,
  `enable_seqscan = off`,
  `enable_material = off`,
  `enable_sort = off`,
  `work_mem = '64kB'`,
  `jit_above_cost = 0`,
  `temp_buffers = '800kB'`,
  `join_collapse_limit = 1`,
  `constraint_exclusion = on`,
  `max_parallel_workers_per_gather = 0`,
  `default_tablespace = ''`,
  `lock_timeout = '1h'`,
  `log_min_messages = panic`,
  `client_min_messages = error`,
];

onEveryServer(async (t, { createDatabase }) => {
  const database = await createDatabase();
  for (const setting of SETTINGS) {
    t.test(setting, async (t) => {
      const session = await openSession(t, database.adminConfig);
      await session.query(`SET ${setting}`);
      const before = await session.value('SELECT count(*) FROM public.vm_events');
      await writeAll(t, database, session);
      const after = await session.value('SELECT count(*) FROM public.vm_events');
      t.equal(Number(after) - Number(before), 5, 'and each change but the empty one is recorded');
    });
  }
});
