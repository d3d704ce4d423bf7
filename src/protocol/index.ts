// Protocol v1 as others import it: messages, their texts, close codes, paths.

export * from './close-codes.js';
export * from './frames.js';
export * from './messages.js';
export * from './parse.js';
export * from './paths.js';
export * from './presence.js';
export * from './row.js';
