// Whether a text looks like an email address. Persons may be named otherwise, so a doubt is a
// question to the user and never a refusal.

/** Something, an @, and a domain with a dot: typing mistakes rarely keep this shape. */
const EMAIL = /^[^\s@,;<>]+@[^\s@,;<>.]+(\.[^\s@,;<>.]+)+$/;

export const looksLikeEmail = (text: string): boolean => EMAIL.test(text);
