// The server's settings. They go on its command line, which overrides postgresql.conf and ALTER
// SYSTEM, so that every start on a folder behaves the same.

export interface SettingsOptions {
  /** For `unix_socket_directories`. */
  readonly socket: string;
  readonly port: number;
  readonly tcp: boolean;
  /** More settings by name; these override the usual ones. */
  readonly more: Readonly<Record<string, string>> | undefined;
}

/** Builds the server's settings by name, as PostgreSQL spells them. */
export function buildSettings(options: SettingsOptions): Readonly<Record<string, string>> {
  return {
    listen_addresses: options.tcp ? '127.0.0.1' : '',
    port: String(options.port),
    unix_socket_directories: options.socket,
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256', // The default since PostgreSQL 14.
    max_connections: '100',
    TimeZone: 'UTC',
    log_timezone: 'UTC',
    log_destination: 'stderr',
    logging_collector: 'off', // The log is a descriptor that the server inherits.
    log_checkpoints: 'off',
    // Commands of assignments are such values.
    log_parameter_max_length: '0',
    log_parameter_max_length_on_error: '0',
    lc_messages: 'C', // startServerProcess() reads the log in English.
    ...options.more,
  };
}

/** Formats settings as arguments of `postgres`. */
export function formatArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
