// Protocol v1 for other programs to import: messages, frames, close codes and paths.

export * from './close-codes.js';
export * from './frames.js';
export * from './messages.js';
export * from './parse.js';
export * from './paths.js';
export * from './presence.js';
export * from './row.js';
