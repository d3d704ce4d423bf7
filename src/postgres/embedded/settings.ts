// The server's settings. They are given on its command line, where they stand above postgresql.conf
// and ALTER SYSTEM: a folder behaves the same whatever happened to it before.

export interface SettingsOptions {
  /** Where the socket is, in the server's words. */
  readonly socket: string;
  readonly port: number;
  readonly tcp: boolean;
  /** More settings, and other values for those below. */
  readonly more: Readonly<Record<string, string>> | undefined;
}

export function settingsFor(options: SettingsOptions): Readonly<Record<string, string>> {
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
    lc_messages: 'C', // Its words are read for the reason when it does not start.
    ...options.more,
  };
}

export function asArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
