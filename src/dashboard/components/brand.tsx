// The logo and the product's name, for the sign-in and the header.

import type { JSX } from 'preact';

export function Brand(): JSX.Element {
  return (
    <span class="brand">
      <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <rect width="32" height="32" rx="8" class="brand-ground" />
        <g fill="none" stroke-width="2.6" stroke-linecap="round">
          <path d="M11 16h10" class="brand-line" />
          <circle cx="8.2" cy="16" r="3" class="brand-line" />
          <path d="M21 16l3.6-5.4M21 16l3.6 5.4" class="brand-fork" />
        </g>
      </svg>
      LabLink
    </span>
  );
}
