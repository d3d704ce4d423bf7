// An error as pg reports it from the server.

import pg from 'pg';

export class SqlError extends pg.DatabaseError {
  constructor(code: string, message: string, routine?: string) {
    super(message, message.length, 'error');
    this.code = code;
    this.severity = 'ERROR';
    this.routine = routine;
  }
}
