// The failures of an agent that a person can do something about. Each message says what.

/** It cannot begin: a file that it was given is not as it must be. To try again does not help. */
export class AgentFileError extends Error {
  override readonly name = 'AgentFileError';
}

/** It cannot go on for something outside: a full disk, a reader that is gone. Another start may help. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}
