// Sentences for errors of the system, the network and PostgreSQL that a person can mend: what
// failed, and what to do. Pure.

/** The fields that Node and PostgreSQL add to their errors. */
interface DetailedError extends Error {
  readonly code?: string;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
  readonly path?: string;
}

/** pg's message if TLS is required and the server does not support it. */
export const NO_TLS = 'The server does not support SSL connections';
const CERTIFICATE = /CERT|UNABLE_TO_VERIFY|SELF_SIGNED/;

/** Returns undefined for an error that has no sentence. */
export function explainSystemError(error: Error): string | undefined {
  const { syscall, message } = error as DetailedError;
  if (syscall === 'listen') return explainListenError(error);
  if (syscall === 'connect') return explainConnectError(error);
  if (message === NO_TLS)
    return 'The database server has no TLS: switch TLS on there, or set sslmode=disable if the network is trusted.';
  return explainNameError(error) ?? explainDatabaseError(error) ?? explainFileError(error);
}

function explainListenError({ code, address = '', port = 0, message }: DetailedError): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${address} is taken: choose another with --port or PORT.`;
    case 'EACCES':
      return `This user may not listen on port ${port}: choose one above 1023 with --port or PORT.`;
    case 'EADDRNOTAVAIL':
      return `This machine has no address ${address}: choose another with --host or HOST.`;
    default:
      return message;
  }
}

function explainConnectError({ code = '', address = '', port }: DetailedError): string {
  const place = port === undefined ? address : `${address}:${port}`;
  return code === 'ECONNREFUSED' || code === 'ENOENT'
    ? `${place} cannot be reached: no process listens there (${code}).`
    : `${place} cannot be reached (${code}).`;
}

function explainNameError({ code, hostname = '', message }: DetailedError): string | undefined {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `The host name ${hostname} is not found in DNS (${code}): check it in DATABASE_URL or PGHOST.`;
  if (code !== undefined && CERTIFICATE.test(code))
    return `The certificate of the database server is not trusted: ${message} (${code}). Name its authority with sslrootcert in DATABASE_URL.`;
  return undefined;
}

function explainDatabaseError({ code, message }: DetailedError): string | undefined {
  switch (code) {
    case '28P01':
      return `The database refuses the password: ${message}. Set the right one in DATABASE_URL or PGPASSWORD.`;
    case '28000':
      return `The database refuses the connection: ${message}. Check the role in DATABASE_URL or PGUSER, and pg_hba.conf of the server.`;
    case '3D000':
      return `The database is missing: ${message}. Create it, or name another in DATABASE_URL or PGDATABASE.`;
    case '53300':
      return `The database server has no free session: ${message}. "db connections" lists them.`;
    default:
      return undefined;
  }
}

const FILE_FAULTS: Readonly<Record<string, string>> = {
  EACCES: 'this user has no right to it',
  EPERM: 'this user has no right to it',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'it would be larger than a file may be here',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is a file, and no folder',
  EISDIR: 'it is a folder',
  EMFILE: 'the process has too many open files: raise `ulimit -n`',
};

function explainFileError({ code, path, syscall }: DetailedError): string | undefined {
  if (syscall === undefined || code === undefined || !(code in FILE_FAULTS)) return undefined;
  return `${path ?? 'A file'} cannot be used: ${FILE_FAULTS[code] ?? ''} (${code}).`;
}
