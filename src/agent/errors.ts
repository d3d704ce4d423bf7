// The failures of an agent that a person can repair. Each message says what to do or what is wrong.

/** A file that the agent was given cannot be used. Another start does not help. */
export class AgentFileError extends Error {
  override readonly name = 'AgentFileError';
}

/** The agent cannot continue, for a reason outside: a full disk, a closed pipe. Restart it. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}
